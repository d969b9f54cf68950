package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Faults: what a bad access, a bad instruction and a bad pointer in a call become. Machine code is
// written to a page and called; a handler of our own looks at what it is told.
var faultChecks = []check{
	{"breakpoint", faultBreakpoint},
	{"single-step", faultSingleStep},
	{"bad-instruction", faultBadInstruction},
	{"divide", faultDivide},
	{"x87", faultX87},
	{"read-nowhere", faultReadNowhere},
	{"write-nowhere", faultWriteNowhere},
	{"write-read-only", faultWriteReadOnly},
	{"no-access", faultNoAccess},
	{"execute-data", faultExecuteData},
	{"execute-nowhere", faultExecuteNowhere},
	{"not-canonical", faultNotCanonical},
	{"not-canonical-stack", faultNotCanonicalStack},
	{"not-canonical-jump", faultNotCanonicalJump},
	{"across-pages", faultAcrossPages},
	{"behind-the-end-of-a-file", faultBehindFile},
	{"file-cut-off", faultFileCutOff},
	{"write-text", faultWriteText},
	{"pages-0-and-1", faultPagesZeroAndOne},
	{"top-of-address-space", faultTop},
	{"frame-layout", faultFrameLayout},
	{"frame-registers", faultFrameRegisters},
	{"frame-vector-state", faultFrameVectorState},
	{"handler-starts-clean", faultHandlerStartsClean},
	{"resumes-with-everything", faultResumesWithEverything},
	{"red-zone", faultRedZone},
	{"below-the-stack", faultBelowTheStack},
	{"go-nil", faultGoNil},
	{"go-addresses", faultGoAddresses},
	{"go-divide", faultGoDivide},
	{"go-a-thousand", faultGoAThousand},
	{"go-in-many-threads", faultGoInManyThreads},
	{"registers-across-a-call", faultRegistersAcrossACall},
	{"state-across-everything", faultStateAcrossEverything},
	{"efault-everywhere", faultEfaultEverywhere},
}

// probeRegisters are RAX RBX RCX RDX RSI RDI RBP R8 … R15; R11 is the code's address.
type probeRegisters [15]uint64

const (
	rAX, rBX, rCX, rDX, rSI, rDI, rBP = 0, 1, 2, 3, 4, 5, 6
)

func probe(code uintptr, in, out *probeRegisters)
func probeAddresses() (handler, restorer uintptr)

// What faults_amd64.s uses. The handler's copies are of the last signal.
var (
	probeSP, probeBP, probeOut, probeSaved, probeSkip uintptr

	probeHits    uint64
	probeEntry   [7]uint64 // signal, siginfo, ucontext, RSP, RFLAGS, return address, MXCSR and FCW
	probeVector  [6]uint64 // X0, X7, X15 as the handler found them
	probeInfo    [128]byte
	probeContext [304]byte
	probeFPU     [4096]byte
)

// Offsets in the ucontext: uc_mcontext begins at 40.
const (
	ucFlags, ucLink, ucStack, ucMask             = 0, 8, 16, 296
	ucR8, ucRDI, ucRSI, ucRBP, ucRBX, ucRDX      = 40, 104, 112, 120, 128, 136
	ucRAX, ucRCX, ucRSP, ucRIP, ucFlagsReg, ucCS = 144, 152, 160, 168, 176, 184
	ucErr, ucTrap, ucOldMask, ucCR2, ucFPU       = 192, 200, 208, 216, 224
)

func context(offset int) uint64 { return binary.LittleEndian.Uint64(probeContext[offset:]) }
func infoInt(offset int) int32  { return int32(binary.LittleEndian.Uint32(probeInfo[offset:])) }
func infoAddr() uint64          { return binary.LittleEndian.Uint64(probeInfo[16:]) }

type sigaction struct{ handler, flags, restorer, mask uint64 }

const (
	saSiginfo, saOnstack, saRestart  = 4, 0x08000000, 0x10000000
	saRestorer, saNodefer, saResethd = 0x04000000, 0x40000000, 0x80000000
)

func rtSigaction(signo syscall.Signal, act, old *sigaction) syscall.Errno {
	_, e := call(syscall.SYS_RT_SIGACTION, uintptr(signo), ptr(act), ptr(old), 8)
	return e
}

// codePage holds machine code: written, then made executable.
func codePage(t *T, code []byte) uintptr {
	a := mapPages(t, 1, rw)
	copy(bytesAt(a, page), code)
	if _, e := call(syscall.SYS_MPROTECT, a, page, syscall.PROT_READ|syscall.PROT_EXEC); e != 0 {
		t.Fatalf("mprotect to execute: %v", e)
	}
	return a
}

var probing sync.Mutex

// withHandler runs f with the probing handler for the signals a fault can have.
func withHandler(t *T, f func()) {
	probing.Lock()
	defer probing.Unlock()
	handler, restorer := probeAddresses()
	act := sigaction{uint64(handler), saSiginfo | saOnstack | saRestorer, uint64(restorer), ^uint64(0)}
	for _, s := range faultSignals {
		var old sigaction
		if e := rtSigaction(s, &act, &old); e != 0 {
			t.Fatalf("rt_sigaction: %v", e)
		}
		defer rtSigaction(s, &old, nil)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f()
}

var faultSignals = []syscall.Signal{syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGTRAP}

// initialState puts back what Go expects of the control words: fninit; push $0x1f80; ldmxcsr (%rsp);
// pop %rax; ret.
var initialState = []byte{0xdb, 0xe3, 0x68, 0x80, 0x1f, 0, 0, 0x0f, 0xae, 0x14, 0x24, 0x58, 0xc3}

// attempt runs code with registers set; a fault is in probeInfo and probeContext after.
func attempt(t *T, code []byte, in probeRegisters) (at uintptr, out probeRegisters) {
	whole := make([]byte, 2048)
	copy(whole, append(code, 0xc3))
	at = codePage(t, append(whole, initialState...))
	withHandler(t, func() {
		probeHits = 0
		probe(at, &in, &out)
		skip := probeSkip
		probeSkip = 0
		probe(at+2048, &probeRegisters{}, &probeRegisters{})
		probeSkip = skip
	})
	unmap(t, at, 1)
	return at, out
}

type fault struct {
	signo    syscall.Signal
	code     int32
	addr     uint64
	rip      uint64
	trap     uint64
	err, cr2 uint64 // page faults
}

// wantFault compares the last fault.
func wantFault(t *T, what string, want fault) {
	if probeHits != 1 {
		t.Fatalf("%s: %d signals", what, probeHits)
	}
	t.Want(what+": signal", syscall.Signal(infoInt(0)), want.signo)
	t.Want(what+": the handler's argument", syscall.Signal(probeEntry[0]), want.signo)
	t.Want(what+": errno", infoInt(4), int32(0))
	t.Want(what+": code", infoInt(8), want.code)
	t.Want(what+": address", infoAddr(), want.addr)
	t.Want(what+": RIP", context(ucRIP), want.rip)
	t.Want(what+": trap", context(ucTrap), want.trap)
	if want.trap == 14 {
		t.Want(what+": error code", context(ucErr), want.err)
		t.Want(what+": CR2", context(ucCR2), want.cr2)
	}
}

const siKernel = 0x80

func faultBreakpoint(t *T) {
	at, _ := attempt(t, []byte{0xcc}, probeRegisters{}) // int3
	wantFault(t, "int3", fault{syscall.SIGTRAP, siKernel, 0, uint64(at) + 1, 3, 0, 0})
	at, _ = attempt(t, []byte{0x90, 0xcd, 3}, probeRegisters{}) // int $3: what Go's assembler makes
	wantFault(t, "int $3", fault{syscall.SIGTRAP, siKernel, 0, uint64(at) + 3, 3, 0, 0})
}

func faultSingleStep(t *T) {
	// pushfq; orl $0x100,(%rsp); popfq; nop; nop
	at, _ := attempt(t, []byte{0x9c, 0x81, 0x0c, 0x24, 0, 1, 0, 0, 0x9d, 0x90, 0x90}, probeRegisters{})
	rip := uint64(at) + 10 // after the instruction that follows popfq
	wantFault(t, "TF", fault{syscall.SIGTRAP, 2 /* TRAP_TRACE */, rip, rip, 1, 0, 0})
	t.Want("TF in the frame", context(ucFlagsReg)&0x100, uint64(0x100))
	t.Want("TF in the handler", probeEntry[4]&0x100, uint64(0))
}

func faultBadInstruction(t *T) {
	for _, code := range [][]byte{{0x0f, 0x0b}, {0xf0, 0x90}, {0x06}, {0x0f, 0xff}} { // ud2, lock nop, push %es, ud0
		at, _ := attempt(t, code, probeRegisters{})
		wantFault(t, "bad instruction", fault{syscall.SIGILL, 2 /* ILL_ILLOPN */, uint64(at), uint64(at), 6, 0, 0})
	}
}

func faultDivide(t *T) {
	at, _ := attempt(t, []byte{0xf7, 0xf1}, probeRegisters{rAX: 5}) // div %ecx
	wantFault(t, "by zero", fault{syscall.SIGFPE, 1 /* FPE_INTDIV */, uint64(at), uint64(at), 0, 0, 0})
	at, _ = attempt(t, []byte{0x48, 0xf7, 0xf9}, probeRegisters{rAX: 1 << 63, rDX: ^uint64(0), rCX: ^uint64(0)}) // idiv %rcx
	wantFault(t, "overflow", fault{syscall.SIGFPE, 1, uint64(at), uint64(at), 0, 0, 0})
}

func faultX87(t *T) {
	// A control word with one exception unmasked, something that raises it, fwait, which traps.
	for _, c := range []struct {
		name    string
		control byte
		code    []byte
		want    int32
	}{
		{"divide", 0x7b, []byte{0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9}, 3},  // fld1; fldz; fdivrp: FPE_FLTDIV
		{"invalid", 0x7e, []byte{0xd9, 0xee, 0xd9, 0xee, 0xde, 0xf9}, 7}, // 0/0: FPE_FLTINV
		{"inexact", 0x5f, []byte{0xd9, 0xe8, 0xd9, 0xeb, 0xde, 0xf9}, 6}, // 1/π: FPE_FLTRES
	} {
		// pushq $0x3XX; fldcw (%rsp); pop %rax; …; fwait
		code := append([]byte{0x68, c.control, 3, 0, 0, 0xd9, 0x2c, 0x24, 0x58}, c.code...)
		at, _ := attempt(t, append(code, 0x9b), probeRegisters{})
		rip := uint64(at) + uint64(len(code))
		wantFault(t, c.name, fault{syscall.SIGFPE, c.want, rip, rip, 16, 0, 0})
	}
}

var (
	load1  = []byte{0x8a, 0x03}       // mov (%rbx),%al
	store1 = []byte{0xc6, 0x03, 0x07} // movb $7,(%rbx)
	jump   = []byte{0xff, 0xe3}       // jmp *%rbx
)

const mapErr, accErr, adrErr = 1, 2, 2

func faultReadNowhere(t *T) {
	at, _ := attempt(t, load1, probeRegisters{rBX: badPointer + 5})
	wantFault(t, "load", fault{syscall.SIGSEGV, mapErr, badPointer + 5, uint64(at), 14, 4, badPointer + 5})
}

func faultWriteNowhere(t *T) {
	at, _ := attempt(t, store1, probeRegisters{rBX: badPointer})
	wantFault(t, "store", fault{syscall.SIGSEGV, mapErr, badPointer, uint64(at), 14, 6, badPointer})
}

func faultWriteReadOnly(t *T) {
	a := mapPages(t, 1, syscall.PROT_READ)
	defer unmap(t, a, 1)
	_ = *at(a) // present
	addr := uint64(a) + 9
	code, _ := attempt(t, store1, probeRegisters{rBX: addr})
	wantFault(t, "store", fault{syscall.SIGSEGV, accErr, addr, uint64(code), 14, 7, addr})
}

func faultNoAccess(t *T) {
	a := mapPages(t, 1, 0)
	defer unmap(t, a, 1)
	code, _ := attempt(t, load1, probeRegisters{rBX: uint64(a)})
	wantFault(t, "load", fault{syscall.SIGSEGV, accErr, uint64(a), uint64(code), 14, 4, uint64(a)})
}

func faultExecuteData(t *T) {
	a := mapPages(t, 1, rw)
	defer unmap(t, a, 1)
	*at(a) = 0xc3
	attempt(t, jump, probeRegisters{rBX: uint64(a)})
	wantFault(t, "jump", fault{syscall.SIGSEGV, accErr, uint64(a), uint64(a), 14, 0x15, uint64(a)})
}

func faultExecuteNowhere(t *T) {
	attempt(t, jump, probeRegisters{rBX: badPointer})
	wantFault(t, "jump", fault{syscall.SIGSEGV, mapErr, badPointer, badPointer, 14, 0x14, badPointer})
	attempt(t, jump, probeRegisters{rBX: 0})
	wantFault(t, "jump to 0", fault{syscall.SIGSEGV, mapErr, 0, 0, 14, 0x14, 0})
}

const notCanonical = 0xdead000000000000

func faultNotCanonical(t *T) {
	for _, code := range [][]byte{load1, store1} {
		at, _ := attempt(t, code, probeRegisters{rBX: notCanonical})
		wantFault(t, "access", fault{syscall.SIGSEGV, siKernel, 0, uint64(at), 13, 0, 0})
	}
	at, _ := attempt(t, load1, probeRegisters{rBX: 0x800000000000})
	wantFault(t, "just beyond", fault{syscall.SIGSEGV, siKernel, 0, uint64(at), 13, 0, 0})
}

func faultNotCanonicalStack(t *T) {
	at, _ := attempt(t, []byte{0x8a, 0x45, 0}, probeRegisters{rBP: notCanonical}) // mov (%rbp),%al
	want := fault{syscall.SIGBUS, siKernel, 0, uint64(at), 12, 0, 0}
	if context(ucTrap) == 13 { // what emulated CPUs raise instead of a stack fault
		want.signo, want.trap = syscall.SIGSEGV, 13
	}
	wantFault(t, "by RBP", want)
}

func faultNotCanonicalJump(t *T) {
	attempt(t, jump, probeRegisters{rBX: notCanonical})
	t.Want("signals", probeHits, uint64(1))
	t.Want("signal", syscall.Signal(infoInt(0)), syscall.SIGSEGV)
	t.Want("code", infoInt(8), int32(siKernel))
	t.Want("address", infoAddr(), uint64(0))
}

func faultAcrossPages(t *T) {
	a := mapPages(t, 2, rw)
	defer unmap(t, a, 2)
	_, e := call(syscall.SYS_MPROTECT, a+page, page, 0)
	t.Want("mprotect", e, syscall.Errno(0))
	code, _ := attempt(t, []byte{0x48, 0x8b, 0x03}, probeRegisters{rBX: uint64(a) + page - 4}) // mov (%rbx),%rax
	addr := uint64(a) + page
	wantFault(t, "load", fault{syscall.SIGSEGV, accErr, addr, uint64(code), 14, 4, addr})
}

// mapFile maps two pages of a file of the given length.
func mapFile(t *T, bytes int) (addr uintptr, f *os.File) {
	dir, err := os.MkdirTemp("", "faults")
	t.Must("MkdirTemp", err)
	f, err = os.Create(filepath.Join(dir, "file"))
	t.Must("Create", err)
	os.RemoveAll(dir)
	t.Must("Truncate", f.Truncate(int64(bytes)))
	addr, e := call(syscall.SYS_MMAP, 0, 2*page, rw, syscall.MAP_SHARED, f.Fd(), 0)
	if e != 0 {
		t.Fatalf("mmap: %v", e)
	}
	return addr, f
}

func faultBehindFile(t *T) {
	a, f := mapFile(t, 100)
	defer f.Close()
	defer unmap(t, a, 2)
	t.Want("the rest of its last page", *at(a + page - 1), byte(0))
	addr := uint64(a) + page
	code, _ := attempt(t, load1, probeRegisters{rBX: addr})
	wantFault(t, "load", fault{syscall.SIGBUS, adrErr, addr, uint64(code), 14, 4, addr})
	code, _ = attempt(t, store1, probeRegisters{rBX: addr + 1})
	wantFault(t, "store", fault{syscall.SIGBUS, adrErr, addr + 1, uint64(code), 14, 6, addr + 1})
}

func faultFileCutOff(t *T) {
	a, f := mapFile(t, 2*page)
	defer f.Close()
	defer unmap(t, a, 2)
	*at(a + page) = 1
	t.Must("Truncate", f.Truncate(page))
	addr := uint64(a) + page
	code, _ := attempt(t, load1, probeRegisters{rBX: addr})
	wantFault(t, "load", fault{syscall.SIGBUS, adrErr, addr, uint64(code), 14, 4, addr})
}

func faultWriteText(t *T) {
	handler, _ := probeAddresses()
	code, _ := attempt(t, store1, probeRegisters{rBX: uint64(handler)})
	wantFault(t, "store", fault{syscall.SIGSEGV, accErr, uint64(handler), uint64(code), 14, 7, uint64(handler)})
}

func faultPagesZeroAndOne(t *T) {
	for _, addr := range []uint64{0, 0xf1, 0xfff, 0x1006} {
		code, _ := attempt(t, store1, probeRegisters{rBX: addr})
		wantFault(t, "store", fault{syscall.SIGSEGV, mapErr, addr, uint64(code), 14, 6, addr})
	}
}

// faultTop: the last page of all is nobody's. What else lies in the upper half is not asked.
func faultTop(t *T) {
	attempt(t, load1, probeRegisters{rBX: ^uint64(0xfff)})
	t.Want("signals", probeHits, uint64(1))
	t.Want("signal", syscall.Signal(infoInt(0)), syscall.SIGSEGV)
	t.Want("code", infoInt(8), int32(mapErr))
	t.Want("address", infoAddr(), ^uint64(0xfff))
}

// ------------------------------------------------------------------ the frame
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
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	withoutSignals(func() { probe(at, &in, &out) })
	t.Want("the pattern is whole", out[rCX]&0xff, uint64(1))
}

// ------------------------------------------------------------------ as Go sees it
type pair struct{ x, y int }

var nowhere *pair

//go:noinline
func loadY(p *pair) int { return p.y }

// panicOf is what f panics with.
func panicOf(f func()) (r any) {
	defer func() { r = recover() }()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	f()
	return nil
}

func addrOf(r any) uintptr {
	if e, ok := r.(interface{ Addr() uintptr }); ok {
		return e.Addr()
	}
	return ^uintptr(0)
}

func faultGoNil(t *T) {
	r, _ := panicOf(func() { loadY(nowhere) }).(runtime.Error)
	if r == nil || r.Error() != "runtime error: invalid memory address or nil pointer dereference" {
		t.Errorf("load: %v", r)
	}
	r, _ = panicOf(func() { nowhere.x = 1 }).(runtime.Error)
	if r == nil {
		t.Errorf("store: no panic")
	}
	r, _ = panicOf(func() { var f func(); f() }).(runtime.Error)
	if r == nil {
		t.Errorf("call: no panic")
	}
}

func faultGoAddresses(t *T) {
	a := mapPages(t, 1, syscall.PROT_READ)
	defer unmap(t, a, 1)
	t.Want("load", addrOf(panicOf(func() { _ = *at(badPointer) })), uintptr(badPointer))
	t.Want("store", addrOf(panicOf(func() { *at(a + 3) = 1 })), a+3)
	t.Want("not canonical", addrOf(panicOf(func() { *at(notCanonical) = 1 })), uintptr(0))
}

var zero int

func faultGoDivide(t *T) {
	r := panicOf(func() { zero = 1 / zero })
	if e, ok := r.(runtime.Error); !ok || e.Error() != "runtime error: integer divide by zero" {
		t.Errorf("%v", r)
	}
}

func faultGoAThousand(t *T) {
	for i := 0; i < 1000; i++ {
		if panicOf(func() { loadY(nowhere) }) == nil {
			t.Fatalf("no panic")
		}
	}
}

func faultGoInManyThreads(t *T) {
	var wg sync.WaitGroup
	for i := 0; i < 8; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			addr := uintptr(badPointer + i*page)
			for j := 0; j < 200; j++ {
				if got := addrOf(panicOf(func() { *at(addr) = 1 })); got != addr {
					t.Errorf("thread %d: address %#x, want %#x", i, got, addr)
					return
				}
			}
		}(i)
	}
	wg.Wait()
}

// ------------------------------------------------------------------ what the program holds
func faultRegistersAcrossACall(t *T) {
	for _, number := range []uint64{syscall.SYS_GETPID, syscall.SYS_SCHED_YIELD, syscall.SYS_GETTID, 500} {
		in := someRegisters()
		in[rAX] = number
		at, out := attempt(t, []byte{0x0f, 0x05}, in) // syscall
		t.Want("signals", probeHits, uint64(0))
		t.Want("RCX is the return address", out[rCX], uint64(at)+2)
		t.Want("R11 has IF and the constant bit", out[10]&0x202, uint64(0x202))
		in[rAX], in[rCX], in[10] = out[rAX], out[rCX], out[10]
		t.Want("all others", out, in)
	}
}

// movFromX stores XMM registers 0 … 15 at RBX+384.
func movFromX() (code []byte) {
	for i := 0; i < 16; i++ {
		if i >= 8 {
			code = append(code, 0x44)
		}
		code = append(code, 0x0f, 0x11, 0x83|byte(i&7)<<3) // movups %xmm,disp32(%rbx)
		code = binary.LittleEndian.AppendUint32(code, uint32(384+16*i))
	}
	return code
}

// faultStateAcrossEverything: XMM registers, an x87 register, MXCSR and FCW come through calls,
// page faults, handlers and the loss of the CPU.
func faultStateAcrossEverything(t *T) {
	defer func() { probeSkip = 0 }()
	a, fresh := mapPages(t, 1, rw), mapPages(t, 1, rw)
	defer unmap(t, a, 1)
	defer unmap(t, fresh, 1)
	for name, middle := range map[string][]byte{
		"a call":         {0xb8, 24, 0, 0, 0, 0x0f, 0x05},             // mov $SYS_SCHED_YIELD,%eax; syscall
		"a sleep":        {0xb8, 35, 0, 0, 0, 0x31, 0xf6, 0x0f, 0x05}, // mov $SYS_NANOSLEEP,%eax; xor %esi,%esi; syscall
		"a page fault":   {0xc6, 0x02, 1},                             // movb $1,(%rdx)
		"a handler":      {0x0f, 0x0b},                                // ud2
		"losing the CPU": {0xb9, 0, 0, 0, 2, 0xff, 0xc9, 0x75, 0xfc},  // mov $33554432,%ecx; 1: dec %ecx; jnz 1b
	} {
		for i := range bytesAt(a, 256) {
			bytesAt(a, page)[i] = byte(i*5 + len(name))
		}
		*(*uint32)(unsafe.Pointer(at(a + 1024))) = 0x1f80 | 0x4000 // round up
		*(*uint16)(unsafe.Pointer(at(a + 1028))) = 0xb7f           // round up
		*(*timespec)(unsafe.Pointer(at(a + 2048))) = timespec{0, 3e6}
		// ldmxcsr 1024(%rbx); fldcw 1028(%rbx); fldpi
		code := []byte{0x0f, 0xae, 0x93, 0, 4, 0, 0, 0xd9, 0xab, 4, 4, 0, 0, 0xd9, 0xeb}
		code = append(append(append(code, movToX()...), middle...), movFromX()...)
		// stmxcsr 912(%rbx); fnstcw 916(%rbx); fstpt 920(%rbx); fninit; push $0x1f80; ldmxcsr (%rsp); pop
		code = append(code, 0x0f, 0xae, 0x9b, 0x90, 3, 0, 0, 0xd9, 0xbb, 0x94, 3, 0, 0, 0xdb, 0xbb, 0x98, 3, 0, 0,
			0xdb, 0xe3, 0x68, 0x80, 0x1f, 0, 0, 0x0f, 0xae, 0x14, 0x24, 0x58)
		probeSkip = 2
		var busy atomic.Bool
		busy.Store(true)
		var wg sync.WaitGroup
		for i := 0; i <= runtime.NumCPU(); i++ { // others want the CPU, and use its vector state
			wg.Add(1)
			go func() {
				defer wg.Done()
				x := 1.5
				for busy.Load() {
					x = x*1.0000001 + 0.5
				}
				sinkOfHot += uint64(x)
			}()
		}
		attempt(t, code, probeRegisters{rBX: uint64(a), rDX: uint64(fresh), rDI: uint64(a) + 2048})
		busy.Store(false)
		wg.Wait()
		t.Want(name+": XMM", string(bytesAt(a+512, 256)), string(bytesAt(a, 256)))
		t.Want(name+": MXCSR", *(*uint32)(unsafe.Pointer(at(a + 1040)))&^0x3f, uint32(0x1f80|0x4000))
		t.Want(name+": FCW", *(*uint16)(unsafe.Pointer(at(a + 1044))), uint16(0xb7f))
		t.Want(name+": ST0", string(bytesAt(a+1048, 10)), "\x35\xc2\x68\x21\xa2\xda\x0f\xc9\x00\x40")
	}
}
