package main

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Holes and seals of files that are mapped.
var mappingHoleChecks = []check{
	{"hole-gives-memory-back", holeGivesMemoryBack},
	{"hole-spares-private-copies", holeSparesPrivateCopies},
	{"hole-within-pages", holeWithinPages},
	{"store-after-hole-stays", storeAfterHoleStays},
	{"holes-race-with-stores", holesRaceWithStores},
	{"seal-races-with-mapping", sealRacesWithMapping},
	{"future-seal-keeps-old-mappings", futureSealKeepsOldMappings},
	{"seal-against-execution", sealAgainstExecution},
}

const (
	punch = 2 | 1 // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE

	fAddSeals, fGetSeals                                               = 1033, 1034
	sealSeal, sealShrink, sealGrow, sealWrite, sealFuture, sealExecute = 1, 2, 4, 8, 16, 32
)

func addSeals(fd int, s uintptr) syscall.Errno {
	_, e := call(syscall.SYS_FCNTL, uintptr(fd), fAddSeals, s)
	return e
}

// mappedMemfd is a file in memory of pages of fill(…, 1), and a mapping of it.
func mappedMemfd(t *T, pages uintptr, flags int) (fd int, a uintptr) {
	fd = newMemfd(t, "holes", 2|1)
	_, err := syscall.Write(fd, fill(int(pages)*page, 1))
	t.Must("write", err)
	return fd, mapOf(t, fd, pages, rw, flags, 0)
}

func isZero(b []byte) bool { return bytes.Equal(b, make([]byte, len(b))) }

func holeGivesMemoryBack(t *T) {
	const pages, first, count = 64, 8, 48
	fd, a := mappedMemfd(t, pages, mapShared)
	defer syscall.Close(fd)
	defer unmap(t, a, pages)
	b := mapOf(t, fd, pages, ro, mapShared, 0)
	defer unmap(t, b, pages)
	for i := uintptr(0); i < pages; i++ {
		*at(a + i*page) = *at(b + i*page) + 1
	}
	t.Want("memory", fstat(t, fd).Blocks, int64(pages*page/512))
	t.Want("punch", fallocate(fd, punch, first*page, count*page), syscall.Errno(0))
	t.Want("memory afterwards", fstat(t, fd).Blocks, int64((pages-count)*page/512))
	t.Want("resident, one mapping", countResident(t, a, pages), pages-count)
	t.Want("resident, the other", countResident(t, b, pages), pages-count)
	t.Want("size", fstat(t, fd).Size, int64(pages*page))
	t.Want("zero", isZero(bytesAt(a+first*page, count*page)), true)
	t.Want("before it", *at(a + (first-1)*page), *at(b + (first-1)*page))
	*at(a + first*page) = 9
	t.Want("shared again", *at(b + first*page), byte(9))
}

func holeSparesPrivateCopies(t *T) {
	fd, a := mappedMemfd(t, 4, mapPrivate)
	defer syscall.Close(fd)
	defer unmap(t, a, 4)
	touched = *at(a + page)
	*at(a + 2*page) = 'X'
	t.Want("punch", fallocate(fd, punch, 0, 4*page), syscall.Errno(0))
	t.Want("never copied", *at(a + page), byte(0))
	t.Want("copied", *at(a + 2*page), byte('X'))
	t.Want("all of it", bytes.Equal(bytesAt(a+2*page+1, page-1), fill(4*page, 1)[2*page+1:3*page]), true)
}

func holeWithinPages(t *T) {
	want := fill(4*page, 1)
	for _, c := range []struct{ from, n int }{
		{100, 50}, {0, 1}, {page - 1, 1}, {page - 1, 2}, {10, 2 * page}, {page, page}, {page + 1, 3*page - 1},
		{3*page + 7, 2 * page}, {2*page - 1, page + 2},
	} {
		fd, a := mappedMemfd(t, 4, mapShared)
		t.Want("punch", fallocate(fd, punch, int64(c.from), int64(c.n)), syscall.Errno(0))
		for i, b := range bytesAt(a, 4*page) {
			if inside := i >= c.from && i < c.from+c.n; inside && b != 0 || !inside && b != want[i] {
				t.Errorf("hole of %d bytes at %d: byte %d is %d", c.n, c.from, i, b)
				break
			}
		}
		unmap(t, a, 4)
		syscall.Close(fd)
	}
}

// Who has read the hole stores behind it in time, though the call that makes it goes on: the
// store stays.
func storeAfterHoleStays(t *T) {
	const pages = 64
	fd, a := mappedMemfd(t, pages, mapShared)
	defer syscall.Close(fd)
	defer unmap(t, a, pages)
	full := fill(pages*page, 1)
	end := time.Now().Add(1500 * time.Millisecond)
	for round := uintptr(0); time.Now().Before(end); round++ {
		at1 := round % pages * page
		copy(bytesAt(a, pages*page), full)
		var ready atomic.Bool
		done := make(chan bool)
		go func() {
			runtime.LockOSThread()
			defer close(done)
			b := []byte{1}
			for ready.Store(true); b[0] != 0; {
				if round%2 == 0 {
					syscall.Pread(fd, b, int64(at1+5))
				} else {
					b[0] = *at(a + at1 + 5)
				}
			}
			*at(a + at1 + 5) = 7
		}()
		for !ready.Load() {
			runtime.Gosched()
		}
		t.Want("punch", fallocate(fd, punch, 0, pages*page), syscall.Errno(0))
		<-done
		inFile := []byte{0}
		syscall.Pread(fd, inFile, int64(at1+5))
		if got := *at(a + at1 + 5); got != 7 || inFile[0] != 7 {
			t.Fatalf("round %d: a store after the hole was lost: %d, %d in the file", round, got, inFile[0])
		}
	}
}

// A page has a number, or is a hole: never another's bytes, never a part of either.
func holesRaceWithStores(t *T) {
	const pages = 16
	fd, a := mappedMemfd(t, pages, mapShared)
	defer syscall.Close(fd)
	defer unmap(t, a, pages)
	t.Want("punch all", fallocate(fd, punch, 0, pages*page), syscall.Errno(0))
	var stop atomic.Bool
	var group sync.WaitGroup
	for i := uintptr(0); i < 3; i++ {
		group.Add(1)
		go func(i uintptr) {
			defer group.Done()
			for n := i; !stop.Load(); n++ {
				p := n % pages
				*at(a + p*page + 8*i) = byte(1 + p)
				if got := *at(a + p*page + 8*((i+1)%3)); got != 0 && got != byte(1+p) {
					t.Errorf("page %d has %d", p, got)
					return
				}
			}
		}(i)
	}
	end := time.Now().Add(time.Second)
	for n := int64(0); time.Now().Before(end); n++ {
		t.Want("punch", fallocate(fd, punch, n%pages*page, (1+n%3)*page), syscall.Errno(0))
	}
	stop.Store(true)
	group.Wait()
	inFile := make([]byte, pages*page)
	_, err := syscall.Pread(fd, inFile, 0)
	t.Must("read", err)
	t.Want("the file is what is mapped", bytes.Equal(inFile, bytesAt(a, pages*page)), true)
	t.Want("punch all", fallocate(fd, punch, 0, pages*page), syscall.Errno(0))
	t.Want("memory", fstat(t, fd).Blocks, int64(0))
}

// Either the mapping is first, then the file cannot be sealed, or the seal is, then it cannot be
// mapped to be written.
func sealRacesWithMapping(t *T) {
	end := time.Now().Add(1500 * time.Millisecond)
	for round := 0; time.Now().Before(end); round++ {
		fd := newMemfd(t, "race", 2|1)
		t.Must("grow", syscall.Ftruncate(fd, page))
		start, mapped := make(chan bool), make(chan uintptr)
		go func() {
			<-start
			for i := 0; i < round%50; i++ {
				runtime.Gosched()
			}
			a, e := call(syscall.SYS_MMAP, 0, page, rw, mapShared, uintptr(fd), 0)
			if e != 0 && e != syscall.EPERM {
				t.Errorf("mmap: %v", e)
			}
			if e != 0 {
				a = 0
			}
			mapped <- a
		}()
		close(start)
		for i := 0; i < round%37; i++ {
			runtime.Gosched()
		}
		e := addSeals(fd, sealWrite)
		a := <-mapped
		if a != 0 && e != syscall.EBUSY || a == 0 && e != 0 && e != syscall.EBUSY {
			t.Errorf("round %d: mapped at %#x and sealed: %v", round, a, e)
		}
		if a != 0 {
			unmap(t, a, 1)
			t.Want("sealed afterwards", addSeals(fd, sealWrite), syscall.Errno(0))
		}
		_, e = call(syscall.SYS_MMAP, 0, page, rw, mapShared, uintptr(fd), 0)
		t.Want("mapped afterwards", e, syscall.EPERM)
		syscall.Close(fd)
	}
}

// What may write when the seal comes may go on, in pieces and elsewhere, too.
func futureSealKeepsOldMappings(t *T) {
	fd, a := mappedMemfd(t, 4, mapShared)
	defer syscall.Close(fd)
	t.Want("seal", addSeals(fd, sealFuture), syscall.Errno(0))
	t.Want("to read", protect(a+page, page, ro), syscall.Errno(0))
	t.Want("to write", protect(a+page, page, rw), syscall.Errno(0))
	*at(a + page) = 3
	b, e := remap(a+2*page, page, 2*page, mayMove, 0)
	t.Want("moved", e, syscall.Errno(0))
	*at(b) = 4
	c := mapOf(t, fd, 4, ro, mapShared, 0)
	t.Want("a new one", protect(c, page, rw), syscall.EACCES)
	t.Want("stored", []byte{*at(c + page), *at(c + 2*page)}[1], byte(4))
	unmap(t, a+3*page, 1)
	t.Want("against all writes", addSeals(fd, sealWrite), syscall.EBUSY)
	unmap(t, a, 2)
	t.Want("while one is left", addSeals(fd, sealWrite), syscall.EBUSY)
	unmap(t, b, 2)
	t.Want("when all are gone", addSeals(fd, sealWrite), syscall.Errno(0))
	t.Want("twice", addSeals(fd, sealWrite), syscall.Errno(0))
	unmap(t, c, 4)
}

// Of a file that may be executed the seal means that nobody writes it any more.
func sealAgainstExecution(t *T) {
	fd := newMemfd(t, "executable", 2|1)
	defer syscall.Close(fd)
	_, err := syscall.Write(fd, make([]byte, page))
	t.Must("write", err)
	if e := addSeals(fd, sealExecute); e == syscall.EINVAL {
		t.Skipf("this kernel is older than the seal")
	}
	s, _ := call(syscall.SYS_FCNTL, uintptr(fd), fGetSeals, 0)
	t.Want("seals", s, uintptr(sealExecute|sealShrink|sealGrow|sealWrite|sealFuture))
	_, err = syscall.Pwrite(fd, []byte("x"), 0)
	t.Want("write", errnoOf(err), syscall.EPERM)
	t.Want("chmod", errnoOf(syscall.Fchmod(fd, 0o600)), syscall.EPERM)
}
