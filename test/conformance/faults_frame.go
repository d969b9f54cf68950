package main

import (
	"encoding/binary"
	"runtime"
	"syscall"
	"unsafe"
)

// The frame that a handler gets, and what it resumes with.
var faultFrameChecks = []check{
	{"frame-layout", faultFrameLayout},
	{"frame-registers", faultFrameRegisters},
	{"frame-vector-state", faultFrameVectorState},
	{"handler-starts-clean", faultHandlerStartsClean},
	{"resumes-with-everything", faultResumesWithEverything},
	{"red-zone", faultRedZone},
	{"below-the-stack", faultBelowTheStack},
}

func faultFrameLayout(t *T) {
	var st stackT
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	call(syscall.SYS_SIGALTSTACK, 0, ptr(&st))
	attempt(t, []byte{0xcc}, probeRegisters{})
	info, uc, sp := probeEntry[1], probeEntry[2], probeEntry[3]
	_, restorer := probeAddresses()
	t.Want("RSP in the handler, modulo 16", sp%16, uint64(8))
	t.Want("its return address", probeEntry[5], uint64(restorer))
	t.Want("ucontext", uc, sp+8)
	t.Want("siginfo", info, uc+304)
	if sp < uint64(st.sp) || sp >= uint64(st.sp)+st.size {
		t.Errorf("RSP %#x is not on the altstack at %#x", sp, st.sp)
	}
	t.Want("uc_flags", context(ucFlags)&^1, uint64(6)) // UC_FP_XSTATE where the CPU has XSAVE
	t.Want("uc_link", context(ucLink), uint64(0))
	t.Want("uc_stack.ss_sp", context(ucStack), uint64(st.sp))
	t.Want("uc_stack.ss_flags", uint32(context(ucStack+8)), uint32(0))
	t.Want("uc_stack.ss_size", context(ucStack+16), st.size)
	t.Want("cs, gs, fs, ss", context(ucCS), uint64(0x2b000000000033))
	t.Want("oldmask", context(ucOldMask), context(ucMask))
	if fpu := context(ucFPU); fpu%64 != 0 || fpu < sp {
		t.Errorf("fpstate at %#x, frame at %#x", fpu, sp)
	}
	t.Want("direction flag", probeEntry[4]&0x400, uint64(0))
}

type stackT struct {
	sp    uintptr
	flags int32
	size  uint64
}

func someRegisters() (r probeRegisters) {
	for i := range r {
		r[i] = 0x0101010101010101*uint64(i+1) ^ 0xa5a5_0000_5a5a_ffff
	}
	return r
}

func faultFrameRegisters(t *T) {
	in := someRegisters()
	code, _ := attempt(t, []byte{0xfd, 0xcc}, in) // std; int3
	in[10] = uint64(code)
	order := []int{ucRAX, ucRBX, ucRCX, ucRDX, ucRSI, ucRDI, ucRBP, ucR8, ucR8 + 8, ucR8 + 16, ucR8 + 24,
		ucR8 + 32, ucR8 + 40, ucR8 + 48, ucR8 + 56}
	for i, offset := range order {
		t.Want("a register", context(offset), in[i])
	}
	t.Want("RSP", context(ucRSP), uint64(probeSP)-8)
	t.Want("DF, IF and the constant bit", context(ucFlagsReg)&0x602, uint64(0x602))
}

// movToX loads XMM registers 0 … 15 from RBX.
func movToX() (code []byte) {
	for i := byte(0); i < 16; i++ {
		if i >= 8 {
			code = append(code, 0x44)
		}
		code = append(code, 0x0f, 0x10, 0x43|i&7<<3, i*16&0x7f) // movups disp8(%rbx),%xmm
		if i == 7 {
			code = append(code, 0x48, 0x83, 0xeb, 0x80) // sub $-128,%rbx
		}
	}
	return code
}

func faultFrameVectorState(t *T) {
	a := mapPages(t, 1, rw)
	defer unmap(t, a, 1)
	for i := range bytesAt(a, 256) {
		bytesAt(a, page)[i] = byte(i*7 + 1)
	}
	*(*uint32)(unsafe.Pointer(at(a + 512))) = 0x1f80 | 0x2000 | 0x8000 // round down, flush to zero
	*(*uint16)(unsafe.Pointer(at(a + 516))) = 0x27f                    // double precision
	// ldmxcsr 512(%rbx); fldcw 516(%rbx); fld1; fldpi; movups …; int3
	code := []byte{0x0f, 0xae, 0x93, 0, 2, 0, 0, 0xd9, 0xab, 4, 2, 0, 0, 0xd9, 0xe8, 0xd9, 0xeb}
	code = append(append(code, movToX()...), 0xcc)
	attempt(t, code, probeRegisters{rBX: uint64(a)})
	le := binary.LittleEndian
	t.Want("FCW", le.Uint16(probeFPU[0:]), uint16(0x27f))
	t.Want("FSW, top of stack", le.Uint16(probeFPU[2:])>>11&7, uint16(6))
	t.Want("MXCSR", le.Uint32(probeFPU[24:])&^0x3f, uint32(0x1f80|0x2000|0x8000))
	t.Want("ST0", string(probeFPU[32:42]), "\x35\xc2\x68\x21\xa2\xda\x0f\xc9\x00\x40")
	t.Want("ST1", string(probeFPU[48:58]), "\x00\x00\x00\x00\x00\x00\x00\x80\xff\x3f")
	t.Want("XMM0 … XMM15", string(probeFPU[160:416]), string(bytesAt(a, 256)))
	if le.Uint32(probeFPU[464:]) != 0x46505853 { // FP_XSTATE_MAGIC1
		t.Want("uc_flags without XSAVE", context(ucFlags)&1, uint64(0))
		return
	}
	t.Want("UC_FP_XSTATE", context(ucFlags)&1, uint64(1))
	extended, features, size := le.Uint32(probeFPU[468:]), le.Uint64(probeFPU[472:]), le.Uint32(probeFPU[480:])
	t.Want("extended_size", extended, size+4)
	t.Want("x87 and SSE among the features", features&3, uint64(3))
	t.Want("XSTATE_BV has x87 and SSE", le.Uint64(probeFPU[512:])&3, uint64(3))
	t.Want("XCOMP_BV", le.Uint64(probeFPU[520:]), uint64(0))
	if int(size) <= len(probeFPU)-4 {
		t.Want("FP_XSTATE_MAGIC2", le.Uint32(probeFPU[size:]), uint32(0x46505845))
	}
}

func faultHandlerStartsClean(t *T) {
	a := mapPages(t, 1, rw)
	defer unmap(t, a, 1)
	for i := range bytesAt(a, 256) {
		bytesAt(a, page)[i] = 0xff
	}
	*(*uint32)(unsafe.Pointer(at(a + 512))) = 0x7f80
	code := append([]byte{0x0f, 0xae, 0x93, 0, 2, 0, 0}, movToX()...)
	attempt(t, append(code, 0xcc), probeRegisters{rBX: uint64(a)})
	t.Want("MXCSR", uint32(probeEntry[6]), uint32(0x1f80))
	t.Want("FCW", uint16(probeEntry[6]>>32), uint16(0x37f))
	t.Want("vector registers", probeVector, [6]uint64{})
}

// faultResumesWithEverything: a handler that only steps over the instruction changes nothing.
func faultResumesWithEverything(t *T) {
	defer func() { probeSkip = 0 }()
	in := someRegisters()
	probeSkip = 2
	at, out := attempt(t, []byte{0x0f, 0x0b}, in) // ud2
	in[10] = uint64(at)
	t.Want("signals", probeHits, uint64(1))
	t.Want("registers", out, in)
}

func faultRedZone(t *T) {
	defer func() { probeSkip = 0 }()
	// mov %rax,-128(%rsp); mov %rax,-8(%rsp); ud2; mov -128(%rsp),%rcx; mov -8(%rsp),%rdx
	code := []byte{0x48, 0x89, 0x44, 0x24, 0x80, 0x48, 0x89, 0x44, 0x24, 0xf8, 0x0f, 0x0b,
		0x48, 0x8b, 0x4c, 0x24, 0x80, 0x48, 0x8b, 0x54, 0x24, 0xf8}
	probeSkip = 2
	_, out := attempt(t, code, probeRegisters{rAX: 0x1122334455667788})
	t.Want("far end", out[rCX], uint64(0x1122334455667788))
	t.Want("near end", out[rDX], uint64(0x1122334455667788))
}

// faultBelowTheStack: interrupts and page faults of the program use no byte below its RSP. Go up to
// 1.25 stores there.
func faultBelowTheStack(t *T) {
	a := mapPages(t, 2, rw)
	defer unmap(t, a, 2)
	fresh := mapPages(t, 256, rw)
	defer unmap(t, fresh, 256)
	// Stack to the middle of a page, a pattern below it, 256 page faults and a long loop, the pattern
	// again:
	code := []byte{
		0x48, 0x89, 0xe2, // mov %rsp,%rdx
		0x48, 0x89, 0xc4, // mov %rax,%rsp
		0x48, 0x8d, 0x78, 0x80, // lea -128(%rax),%rdi
		0xb9, 16, 0, 0, 0, // mov $16,%ecx
		0xb8, 0x77, 0x77, 0x77, 0x77, // mov $0x77777777,%eax
		0xf3, 0x48, 0xab, // rep stosq
		0xb9, 0, 1, 0, 0, // mov $256,%ecx
		0xc6, 0x03, 1, // 1: movb $1,(%rbx)
		0x48, 0x81, 0xc3, 0, 0x10, 0, 0, // add $4096,%rbx
		0xff, 0xc9, 0x75, 0xf2, // dec %ecx; jnz 1b
		0xb9, 0x80, 0x96, 0x98, 0x00, // mov $10000000,%ecx
		0xff, 0xc9, 0x75, 0xfc, // 2: dec %ecx; jnz 2b
		0x48, 0x8d, 0x7c, 0x24, 0x80, // lea -128(%rsp),%rdi
		0xb9, 16, 0, 0, 0, // mov $16,%ecx
		0xf3, 0x48, 0xaf, // repe scasq
		0x0f, 0x94, 0xc1, // sete %cl
		0x48, 0x89, 0xd4, // mov %rdx,%rsp
	}
	var out probeRegisters
	in := probeRegisters{rAX: uint64(a) + page, rBX: uint64(fresh)}
	at := codePage(t, append(code, 0xc3))
	defer unmap(t, at, 1)
	withoutSignals(func() { probe(at, &in, &out) })
	t.Want("the pattern is whole", out[rCX]&0xff, uint64(1))
}
