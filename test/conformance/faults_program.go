package main

import (
	"encoding/binary"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Faults as Go's runtime sees them, and what of the processor's state a program keeps.
var faultProgramChecks = []check{
	{"go-nil", faultGoNil},
	{"go-addresses", faultGoAddresses},
	{"go-divide", faultGoDivide},
	{"go-a-thousand", faultGoAThousand},
	{"go-in-many-threads", faultGoInManyThreads},
	{"registers-across-a-call", faultRegistersAcrossACall},
	{"state-across-everything", faultStateAcrossEverything},
}

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
