package main

import (
	"fmt"
	"strings"
	"syscall"
	"time"
)

// Limits of memory and of CPU time.

var limitMemoryChecks = []check{
	{"address-space", limitAddressSpace},
	{"data", limitData},
	{"locked-memory", asRoot(limitLocked)},
	{"locked-memory-grows", asRoot(limitLockedGrows)},
	{"cpu-time", onLimitThread(limitCPU)},
	{"stack", limitStackTold},
	{"stack-that-grows", limitStackThatGrows},
	{"stack-of-main", limitStackOfMain},
}

const (
	limitCPUTime     = 0
	limitDataSize    = 2
	limitStack       = 3
	limitMemlock     = 8
	limitAddressSize = 9
)

// statusBytes is a size of /proc/self/status.
func statusBytes(t *T, name string) uint64 {
	return uint64(number(t, name, fields(t, "/proc/self/status")[name])) << 10
}

// limitAddressSpace leaves a gibibyte: the runtime may want some of it meanwhile.
func limitAddressSpace(t *T) {
	const room, half = 1 << 30, 1 << 29
	limited(t, limitAddressSize, statusBytes(t, "VmSize")+room, func() {
		_, e := mmap(0, 2*room, none, private)
		t.Want("more than there may be", e, syscall.ENOMEM)
		a := mapPages(t, half/page, none) // far from everything else
		_, e = mmap(0, room, none, private)
		t.Want("as much again, and more", e, syscall.ENOMEM)
		_, e = mmap(a, half, ro, private|syscall.MAP_FIXED)
		t.Want("instead of the half", e, syscall.Errno(0))
		_, e = mmap(a, half+room, ro, private|syscall.MAP_FIXED)
		t.Want("more instead of the half", e, syscall.ENOMEM)
		t.Want("which is still there", *at(a), byte(0))
		_, e = call(syscall.SYS_MREMAP, a, half, half+room, 1)
		t.Want("mremap", e, syscall.ENOMEM)
		_, e = call(syscall.SYS_MREMAP, a, half, half/2, 1)
		t.Want("mremap to less", e, syscall.Errno(0))
		unmap(t, a, half/2/page)
		a, e = mmap(0, half, none, private)
		t.Want("after it is gone", e, syscall.Errno(0))
		unmap(t, a, half/page)
	})
	limited(t, limitAddressSize, 1<<20, func() {
		_, e := mmap(0, page, rw, private)
		t.Want("below what there is", e, syscall.ENOMEM)
	})
}

// limitData: private memory that may be written counts, and nothing else.
func limitData(t *T) {
	const room, much = 64 << 20, 128 << 20
	limited(t, limitDataSize, statusBytes(t, "VmData")+room, func() {
		_, e := mmap(0, much, rw, private)
		t.Want("data", e, syscall.ENOMEM)
		for _, c := range []struct {
			what        string
			prot, flags uintptr
		}{{"read-only", ro, private}, {"shared", rw, syscall.MAP_SHARED | syscall.MAP_ANON}, {"reserved", none, private}} {
			a, e := mmap(0, much, c.prot, c.flags)
			t.Want(c.what, e, syscall.Errno(0))
			if c.what == "reserved" {
				t.Want("mprotect", protect(a, much, rw), syscall.ENOMEM)
				t.Want("mprotect of a part", protect(a, room/4, rw), syscall.Errno(0))
				t.Want("the same again", protect(a, room/4, rw), syscall.Errno(0))
				t.Want("mprotect of the rest", protect(a, much, rw), syscall.ENOMEM)
			}
			unmap(t, a, much/page)
		}
		a, e := mmap(0, room/4, rw, private)
		t.Want("a little", e, syscall.Errno(0))
		_, e = call(syscall.SYS_MREMAP, a, room/4, much, 1)
		t.Want("mremap", e, syscall.ENOMEM)
		unmap(t, a, room/4/page)
	})
	limited(t, limitDataSize, 1<<20, func() {
		_, e := mmap(0, page, rw, private)
		t.Want("below what there is", e, syscall.ENOMEM)
		a, e := mmap(0, page, ro, private)
		t.Want("no data", e, syscall.Errno(0))
		t.Want("mprotect", protect(a, page, rw), syscall.ENOMEM)
		unmap(t, a, 1)
	})
}

// limitLocked: who may not lock without bounds.
func limitLocked(t *T) {
	const lock, unlock = syscall.SYS_MLOCK, syscall.SYS_MUNLOCK
	a := mapPages(t, 40, rw)
	defer unmap(t, a, 40)
	ask := func(what string, want syscall.Errno, number uintptr, args ...uintptr) {
		_, e := raw(number, args...)
		t.Want(what, e, want)
	}
	locked := statusBytes(t, "VmLck")
	limited(t, limitMemlock, uint64(locked)+16*page, func() {
		ask("by root", 0, lock, a, 40*page)
		ask("munlock", 0, unlock, a, 40*page)
		wantErr(t, "setresuid", 0, syscall.SYS_SETRESUID, minusOne, 1000, minusOne)
		ask("sixteen", 0, lock, a, 16*page)
		ask("the same again", 0, lock, a+100, 15*page)
		ask("one more", syscall.ENOMEM, lock, a+16*page, page)
		ask("some of them and more", syscall.ENOMEM, lock, a+8*page, 9*page)
		ask("some of them", 0, lock, a+8*page, 8*page)
		ask("all", syscall.ENOMEM, syscall.SYS_MLOCKALL, 1)
		_, e := mmap(0, page, rw, private|syscall.MAP_LOCKED)
		t.Want("a new mapping", e, syscall.EAGAIN)
		ask("munlock", 0, unlock, a, 40*page)
		b, e := mmap(0, page, rw, private|syscall.MAP_LOCKED)
		t.Want("a new mapping after it", e, syscall.Errno(0))
		unmap(t, b, 1)
		wantErr(t, "setresuid", 0, syscall.SYS_SETRESUID, minusOne, 0, minusOne)
	})
	limited(t, limitMemlock, 0, func() {
		wantErr(t, "setresuid", 0, syscall.SYS_SETRESUID, minusOne, 1000, minusOne)
		ask("none may be locked", syscall.EPERM, lock, a, page)
		ask("not even no bytes", syscall.EPERM, lock, a, 0)
		ask("all", syscall.EPERM, syscall.SYS_MLOCKALL, 1)
		_, e := mmap(0, page, rw, private|syscall.MAP_LOCKED)
		t.Want("a new mapping", e, syscall.EPERM)
		wantErr(t, "setresuid", 0, syscall.SYS_SETRESUID, minusOne, 0, minusOne)
	})
}

// limitLockedGrows: nor may what is locked become more by itself. The runtime must not want memory on this
// thread while nothing more may be locked: results are looked at when that is over.
func limitLockedGrows(t *T) {
	a, place := mapPages(t, 16, rw), mapPages(t, 1, none)
	unmap(t, place, 1)
	unmap(t, a+8*page, 8)
	var grown, moved, within, asked, beyond, read, fits, small syscall.Errno
	var b, c uintptr
	_, e := raw(syscall.SYS_MLOCK, a, 8*page)
	t.Want("mlock", e, syscall.Errno(0))
	locked := statusBytes(t, "VmLck")
	limited(t, limitMemlock, locked+8*page+5, func() {
		wantErr(t, "setresuid", 0, syscall.SYS_SETRESUID, minusOne, 1000, minusOne)
		_, grown = raw4(syscall.SYS_MREMAP, a, 8*page, 17*page, 0)
		_, moved = raw4(syscall.SYS_MREMAP, a, 8*page, 17*page, 1)
		_, within = raw4(syscall.SYS_MREMAP, a, 8*page, 12*page, 0)
		_, asked = raw(syscall.SYS_MLOCKALL, 2) // MCL_FUTURE
		_, _, beyond = syscall.RawSyscall6(syscall.SYS_MMAP, place, 5*page, none, private, ^uintptr(0), 0)
		b, _, fits = syscall.RawSyscall6(syscall.SYS_MMAP, place, 4*page, ro, private, ^uintptr(0), 0)
		_, _, small = syscall.RawSyscall6(syscall.SYS_MMAP, place+8*page, 1, rw, private, ^uintptr(0), 0)
		raw(syscall.SYS_MUNLOCKALL)
		c, _, read = syscall.RawSyscall6(syscall.SYS_MMAP, place+8*page, 5*page, ro, private, ^uintptr(0), 0)
		wantErr(t, "setresuid", 0, syscall.SYS_SETRESUID, minusOne, 0, minusOne)
	})
	t.Want("mremap", grown, syscall.EAGAIN)
	t.Want("mremap that may move", moved, syscall.EAGAIN)
	t.Want("mremap within the limit", within, syscall.Errno(0))
	t.Want("mlockall", asked, syscall.Errno(0))
	t.Want("mmap", beyond, syscall.EAGAIN)
	t.Want("mmap within the limit", fits, syscall.Errno(0))
	t.Want("mmap when that is used up", small, syscall.EAGAIN)
	t.Want("mmap after munlockall", read, syscall.Errno(0))
	unmap(t, a, 12)
	unmap(t, b, 4)
	unmap(t, c, 5)
}

// limitCPU: SIGXCPU comes at the limit and each second after, not before; the limit grows with it.
func limitCPU(t *T) {
	defer noteSignal(t, syscall.SIGXCPU, saRestart, ^uint64(0))()
	soft := uint64(now(t, clkProcess).ns()/1e9) + 1
	limited(t, limitCPUTime, soft, func() {
		for want := soft; want < soft+2; want++ {
			for start := time.Now(); runs() < want-soft+1 && time.Since(start) < time.Minute; {
			}
			spent := now(t, clkProcess).ns()
			t.Want("SIGXCPU", runs(), want-soft+1)
			var told [2]uint64
			for start := time.Now(); told[0] <= want && time.Since(start) < time.Minute; {
				call(syscall.SYS_PRLIMIT64, 0, limitCPUTime, 0, ptr(&told)) // may be behind the signal
			}
			t.Want("the limit after it", told[0], want+1)
			// Linux counts for it whom its ticks meet, which on a busy host is far from exact.
			if spent < int64(want)*1e9/2 {
				t.Errorf("signal %d after %d ns of CPU time, limit %d s", want-soft+1, spent, soft)
			}
		}
	})
	before := runs()
	burn(1200 * time.Millisecond)
	t.Want("none without a limit", runs(), before)
}

// limitStackThatGrows: a mapping that grows down stops at the limit, wherever it lies.
func limitStackThatGrows(t *T) {
	const top = 20 << 20
	hole := mapPages(t, top/page+1, none)
	defer unmap(t, hole, top/page+1)
	unmap(t, hole, top/page+1)
	end := hole + top
	_, e := mmap(end-2*page, 2*page, rw, private|mapGrowsDown|syscall.MAP_FIXED)
	t.Want("mmap", e, syscall.Errno(0))
	limited(t, limitStack, 1<<20+123, func() {
		t.Want("beyond the limit", loadFaults(end-1<<20-page), true)
		t.Want("at the limit", loadFaults(end-1<<20), false)
		t.Want("mappings", mapsOf(t, end-1<<20, end), 1)
	})
	limited(t, limitStack, 64<<10, func() {
		t.Want("what there is", loadFaults(end-1<<20+5*page), false)
		t.Want("more", loadFaults(end-1<<20-page), true)
	})
	limited(t, limitStack, 12<<20, func() {
		t.Want("a raised limit", loadFaults(end-12<<20), false)
		t.Want("beyond it", loadFaults(end-12<<20-page), true)
	})
	limited(t, limitStack, unlimited, func() {
		t.Want("without limit", loadFaults(end-18<<20), false)
	})
	limited(t, limitStack, 0, func() {
		t.Want("none", loadFaults(end-18<<20-page), true)
	})
}

// mainStack is where the main thread's stack lies.
func mainStack(t *T) (start, end uintptr) {
	for _, line := range strings.Split(contents(t, "/proc/self/maps"), "\n") {
		if strings.HasSuffix(line, "[stack]") {
			if _, err := fmt.Sscanf(line, "%x-%x", &start, &end); err != nil {
				t.Errorf("%q: %v", line, err)
			}
			return start, end
		}
	}
	t.Fatalf("no stack")
	return 0, 0
}

// limitStackOfMain: that of the main thread grows as the limit says; nothing else is mapped in its way.
func limitStackOfMain(t *T) {
	start, end := mainStack(t)
	t.Want("little of it is there", end-start <= 8<<20, true)
	limited(t, limitStack, 8<<20, func() {
		t.Want("beyond the limit", loadFaults(end-9<<20), true)
	})
	limited(t, limitStack, 100<<20, func() {
		a := end - 90<<20
		t.Want("a raised limit", loadFaults(a), false)
		t.Want("beyond it", loadFaults(end-101<<20), true)
		start, _ := mainStack(t)
		t.Want("it is as long", start, a)
		status := fields(t, "/proc/self/status")["VmStk"]
		t.Want("VmStk", number(t, "VmStk", status) >= 90<<10, true)
	})
	unmap(t, end-90<<20, (82<<20)/page) // give it back
	t.Want("the rest", loadFaults(end-7<<20), false)
}

// limitStackTold: what a stack may be is what is said.
func limitStackTold(t *T) {
	var l syscall.Rlimit
	t.Must("getrlimit", syscall.Getrlimit(limitStack, &l))
	t.Want("some MiB", l.Cur >= 1<<20, true)
	t.Must("the same again", syscall.Setrlimit(limitStack, &l))
}
