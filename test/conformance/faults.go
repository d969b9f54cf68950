package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
)

// Faults: what a bad access and a bad instruction become. Machine code is
// written to a page and called; a handler of our own looks at what it is told.
var faultChecks = slices.Concat(faultKindChecks, faultFrameChecks, faultProgramChecks)

// What each bad access and bad instruction becomes.
var faultKindChecks = []check{
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
