package main

import (
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"unsafe"
)

var memoryLimitChecks = []check{
	{"reservations-cost-nothing", reservationsCostNothing},
	{"more-than-there-can-be", moreThanThereCanBe},
	{"thousands-of-mappings", thousandsOfMappings},
	{"no-more-mappings", noMoreMappings},
	{"faults-of-many-threads", faultsOfManyThreads},
	{"heap-comes-and-goes", heapComesAndGoes},
}

// Go reserves more than a gigabyte before main, and 64 MiB for each further arena.
func reservationsCostNothing(t *T) {
	before := residentPages(t)
	var all []uintptr
	for i := 0; i < 64; i++ {
		a, e := mmap(0, 64<<30, none, private)
		if e != 0 {
			t.Fatalf("reservation %d: %v", i, e)
		}
		all = append(all, a)
	}
	if got := residentPages(t) - before; got > 500 {
		t.Errorf("%d pages resident", got)
	}
	a := all[7] + 32<<30
	_, e := mmap(a, page, rw, private|syscall.MAP_FIXED)
	t.Want("mmap in the middle", e, syscall.Errno(0))
	*at(a) = 1
	for _, a := range all {
		unmap(t, a, 64<<30/page)
	}
}

// A mapping that RAM and swap could never fill is refused; one that is not counted is not.
func moreThanThereCanBe(t *T) {
	const tooMuch = 1 << 45
	_, e := mmap(0, tooMuch, rw, private)
	t.Want("mmap", e, syscall.ENOMEM)
	a, e := mmap(0, tooMuch, rw, private|mapNoReserve)
	t.Want("mmap with MAP_NORESERVE", e, syscall.Errno(0))
	unmap(t, a, tooMuch/page)
	a, e = mmap(0, tooMuch, none, private)
	t.Want("mmap of PROT_NONE", e, syscall.Errno(0))
	t.Want("mprotect", protect(a, tooMuch, rw), syscall.ENOMEM)
	t.Want("mprotect of a part", protect(a+1<<40, 1<<20, rw), syscall.Errno(0))
	unmap(t, a, tooMuch/page)
}

func thousandsOfMappings(t *T) {
	const pages = 6000
	a := mapPages(t, pages, rw)
	defer unmap(t, a, pages)
	for i := uintptr(0); i < pages; i += 2 {
		*at(a + i*page) = byte(i / 2)
		if e := protect(a+i*page, page, ro); e != 0 {
			t.Fatalf("mprotect: %v", e)
		}
	}
	t.Want("mappings", mapsOf(t, a, a+pages*page), pages)
	for i := uintptr(0); i < pages; i += 2 {
		if *at(a + i*page) != byte(i/2) {
			t.Fatalf("page %d holds %d", i, *at(a + i*page))
		}
	}
	t.Want("mprotect", protect(a, pages*page, rw), syscall.Errno(0))
	t.Want("mappings", mapsOf(t, a+page, a+(pages-1)*page), 1)
}

// vm.max_map_count is 65530.
func noMoreMappings(t *T) {
	const pages = 140000
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the runtime may not want a mapping meanwhile
	a := mapPages(t, pages, none)
	var e syscall.Errno
	var i uintptr
	for i = 1; i < pages && e == 0; i += 2 {
		e = protect(a+i*page, page, ro)
	}
	_, unmapError := call(syscall.SYS_MUNMAP, a+(pages-9)*page, page) // splits: one more
	unmap(t, a, pages)
	t.Want("the last mprotect", e, syscall.ENOMEM)
	if n := i; n < 65000 || n > 65540 {
		t.Errorf("after %d mappings", n)
	}
	t.Want("munmap in the middle", unmapError, syscall.ENOMEM)
	a = mapPages(t, 1, rw)
	unmap(t, a, 1)
}

// Threads touch, drop and protect the same memory at once; none sees another's page.
func faultsOfManyThreads(t *T) {
	const threads, pages, rounds = 8, 64, 6
	a := mapPages(t, threads*pages, rw)
	defer unmap(t, a, threads*pages)
	var wait sync.WaitGroup
	problems := make(chan string, threads)
	for n := uintptr(0); n < threads; n++ {
		wait.Add(1)
		go func(n uintptr) {
			defer wait.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for round := uintptr(0); round < rounds; round++ {
				for i := uintptr(0); i < pages; i++ { // pages of all threads are neighbours
					p := (*uint64)(unsafe.Pointer(at(a + (i*threads+n)*page)))
					if *p != 0 {
						problems <- "a page that was dropped is not zero"
						return
					}
					*p = uint64(n)<<32 | uint64(round)<<16 | uint64(i)
				}
				for i := uintptr(0); i < pages; i++ {
					p := a + (i*threads+n)*page
					if *(*uint64)(unsafe.Pointer(at(p))) != uint64(n)<<32|uint64(round)<<16|uint64(i) {
						problems <- "a page holds what another thread wrote"
						return
					}
					if e := advise(p, page, advDontNeed); e != 0 {
						problems <- "madvise: " + e.Error()
						return
					}
				}
			}
		}(n)
	}
	wait.Wait()
	close(problems)
	for p := range problems {
		t.Errorf("%s", p)
	}
}

var ballast [][]byte

// The heap grows, is given back, and grows again; what comes back is zero.
func heapComesAndGoes(t *T) {
	for round := 0; round < 3; round++ {
		for i := 0; i < 24; i++ {
			b := make([]byte, 1<<20)
			for j := 0; j < len(b); j += 512 {
				if b[j] != 0 {
					t.Fatalf("new memory is not zero")
				}
				b[j] = 0xff
			}
			ballast = append(ballast, b)
		}
		ballast = nil
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapReleased < 16<<20 {
		t.Errorf("%d KiB released", m.HeapReleased>>10)
	}
}
