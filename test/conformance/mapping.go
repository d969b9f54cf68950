package main

import (
	"bytes"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

// Mappings of files: coherence with read and write, ends and faults, truncation, seals.
var mappingChecks = []check{
	{"shared-is-coherent", sharedIsCoherent},
	{"private-copies", privateCopies},
	{"two-mappings", twoMappings},
	{"past-the-end-is-sigbus", pastTheEndIsSigbus},
	{"truncated-under-a-mapping", truncatedUnderAMapping},
	{"grown-under-a-mapping", grownUnderAMapping},
	{"hole-under-a-mapping", holeUnderAMapping},
	{"fault-races-with-truncation", faultRacesWithTruncation},
	{"outlives-descriptor-and-name", outlivesDescriptorAndName},
	{"msync", msync},
	{"times-of-stores", timesOfStores},
	{"mmap-errors", mmapErrors},
	{"read-only-stays-read-only", readOnlyStaysReadOnly},
	{"memfd", memfd},
	{"seals", seals},
	{"write-from-its-own-mapping", writeFromItsOwnMapping},
	{"device-zero", deviceZero},
}

const (
	mapShared  = syscall.MAP_SHARED
	mapPrivate = syscall.MAP_PRIVATE
)

func mapOf(t *T, fd int, pages uintptr, prot, flags int, offset uintptr) uintptr {
	a, e := call(syscall.SYS_MMAP, 0, pages*page, uintptr(prot), uintptr(flags), uintptr(fd), offset)
	if e != 0 {
		t.Fatalf("mmap of a file: %v", e)
	}
	return a
}

// faults says whether touching memory faults.
func faults(f func()) (failed bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { failed = recover() != nil }()
	f()
	return false
}

var touched byte

func readFaults(addr uintptr) bool  { return faults(func() { touched = *at(addr) }) }
func writeFaults(addr uintptr) bool { return faults(func() { *at(addr) = 1 }) }

// newFile is a file of that many bytes of fill(n, 1), open for both.
func newFile(t *T, n int) (dir string, fd int) {
	dir = tempDir(t)
	fd = open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	_, err := syscall.Write(fd, fill(n, 1))
	t.Must("write", err)
	return dir, fd
}

func sharedIsCoherent(t *T) {
	dir, fd := newFile(t, 4*page)
	defer os.RemoveAll(dir)
	defer syscall.Close(fd)
	a := mapOf(t, fd, 4, rw, mapShared, 0)
	defer unmap(t, a, 4)
	m := bytesAt(a, 4*page)
	t.Want("contents", bytes.Equal(m, fill(4*page, 1)), true)
	copy(m[5000:], "stored")
	b := make([]byte, 6)
	syscall.Pread(fd, b, 5000)
	t.Want("a store is read", string(b), "stored")
	syscall.Pwrite(fd, []byte("written"), 9000)
	t.Want("a write is loaded", string(m[9000:9007]), "written")
	other := open(t, dir+"/f", syscall.O_RDONLY, 0)
	syscall.Pread(other, b, 5000)
	t.Want("by another description", string(b), "stored")
	syscall.Close(other)
}

func privateCopies(t *T) {
	dir, fd := newFile(t, 2*page)
	defer os.RemoveAll(dir)
	defer syscall.Close(fd)
	a := mapOf(t, fd, 2, rw, mapPrivate, 0)
	defer unmap(t, a, 2)
	m := bytesAt(a, 2*page)
	copy(m, "private")
	b := make([]byte, 7)
	syscall.Pread(fd, b, 0)
	t.Want("not in the file", string(b), string(fill(7, 1)))
	syscall.Pwrite(fd, []byte("changed"), 0)
	t.Want("nor the other way", string(m[:7]), "private")
	if _, e := call(syscall.SYS_MADVISE, a, page, 4 /* MADV_DONTNEED */); e != 0 {
		t.Errorf("madvise: %v", e)
	}
	t.Want("the file's again after MADV_DONTNEED", string(m[:7]), "changed")
}

func twoMappings(t *T) {
	dir, fd := newFile(t, 2*page)
	defer os.RemoveAll(dir)
	defer syscall.Close(fd)
	a, b := mapOf(t, fd, 2, rw, mapShared, 0), mapOf(t, fd, 1, rw, mapShared, page)
	defer unmap(t, a, 2)
	defer unmap(t, b, 1)
	*at(a + page + 10) = 77
	t.Want("one way", *at(b + 10), byte(77))
	*at(b + 11) = 78
	t.Want("the other way", *at(a + page + 11), byte(78))
}

func pastTheEndIsSigbus(t *T) {
	dir, fd := newFile(t, page+100)
	defer os.RemoveAll(dir)
	defer syscall.Close(fd)
	for _, flags := range []int{mapShared, mapPrivate} {
		a := mapOf(t, fd, 4, rw, flags, 0)
		t.Want("the last page's rest is zero", bytes.Equal(bytesAt(a+page+100, page-100), make([]byte, page-100)), true)
		t.Want("a load past the end", readFaults(a+2*page), true)
		t.Want("a store past the end", writeFaults(a+3*page), true)
		r, w := pipe(t, 0)
		_, e := call(syscall.SYS_WRITE, uintptr(w), a+2*page, 10)
		t.Want("by a call", e, syscall.EFAULT)
		syscall.Close(r)
		syscall.Close(w)
		unmap(t, a, 4)
	}
	t.Want("size", fstat(t, fd).Size, int64(page+100))
}

func truncatedUnderAMapping(t *T) {
	dir, fd := newFile(t, 4*page)
	defer os.RemoveAll(dir)
	defer syscall.Close(fd)
	a := mapOf(t, fd, 4, rw, mapShared, 0)
	defer unmap(t, a, 4)
	p := mapOf(t, fd, 4, rw, mapPrivate, 0)
	defer unmap(t, p, 4)
	*at(p + 3*page) = 9 // a copy of its own, which goes too
	for i := uintptr(0); i < 4; i++ {
		touched = *at(a + i*page)
	}
	t.Must("ftruncate", syscall.Ftruncate(fd, page+10))
	t.Want("shared: what is left", *at(a + page), fill(page+1, 1)[page])
	t.Want("shared: the rest of the page", bytes.Equal(bytesAt(a+page+10, page-10), make([]byte, page-10)), true)
	t.Want("shared: cut off", readFaults(a+2*page), true)
	t.Want("private: cut off", readFaults(p+3*page), true)
	t.Must("ftruncate", syscall.Ftruncate(fd, 4*page))
	t.Want("grown again: zero", bytes.Equal(bytesAt(a+2*page, 2*page), make([]byte, 2*page)), true)
	t.Want("grown again, private", *at(p + 3*page), byte(0))
}

func grownUnderAMapping(t *T) {
	dir, fd := newFile(t, 100)
	defer os.RemoveAll(dir)
	defer syscall.Close(fd)
	a := mapOf(t, fd, 3, rw, mapShared, 0)
	defer unmap(t, a, 3)
	*at(a + 200) = 5 // beyond the size, in its page: not part of the file
	t.Want("before", readFaults(a+page), true)
	syscall.Pwrite(fd, []byte("x"), 2*page)
	t.Want("after", *at(a + 2*page), byte('x'))
	t.Want("the hole between", *at(a + page), byte(0))
}

func holeUnderAMapping(t *T) {
	dir, fd := newFile(t, 4*page)
	defer os.RemoveAll(dir)
	defer syscall.Close(fd)
	a := mapOf(t, fd, 4, rw, mapShared, 0)
	defer unmap(t, a, 4)
	copy(bytesAt(a, 4*page), bytes.Repeat([]byte{1}, 4*page))
	t.Want("punch", fallocate(fd, 3, page, 2*page), syscall.Errno(0))
	t.Want("the hole is zero", bytes.Equal(bytesAt(a+page, 2*page), make([]byte, 2*page)), true)
	t.Want("beside it", *at(a)+*at(a + 3*page), byte(2))
	*at(a + page) = 7
	b := make([]byte, 1)
	syscall.Pread(fd, b, page)
	t.Want("still the file's", b[0], byte(7))
}

// faultRacesWithTruncation: threads touch what others cut off and grow. What was cut off never
// comes back: bytes that are there after growing are zero or were stored since.
func faultRacesWithTruncation(t *T) {
	dir, fd := newFile(t, 8*page)
	defer os.RemoveAll(dir)
	defer syscall.Close(fd)
	a := mapOf(t, fd, 8, rw, mapShared, 0)
	defer unmap(t, a, 8)
	stop, group := make(chan bool), sync.WaitGroup{}
	for i := 0; i < 3; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				addr := a + uintptr(1+(n+i)%7)*page
				if i == 0 {
					writeFaults(addr)
				} else {
					readFaults(addr)
				}
			}
		}(i)
	}
	end := time.Now().Add(1500 * time.Millisecond)
	for time.Now().Before(end) {
		t.Must("cut", syscall.Ftruncate(fd, page))
		t.Must("grow", syscall.Ftruncate(fd, 8*page))
	}
	close(stop)
	group.Wait()
	t.Must("cut", syscall.Ftruncate(fd, page))
	for i := uintptr(1); i < 8; i++ {
		if !readFaults(a + i*page) {
			t.Errorf("page %d is there although the file ends before it", i)
		}
	}
	t.Must("grow", syscall.Ftruncate(fd, 8*page))
	t.Want("zero after all", bytes.Equal(bytesAt(a+page, 7*page), make([]byte, 7*page)), true)
	got := make([]byte, 7*page)
	syscall.Pread(fd, got, page)
	t.Want("zero by read", bytes.Equal(got, make([]byte, 7*page)), true)
	copy(bytesAt(a+page, 5), "hello")
	syscall.Pread(fd, got[:5], page)
	t.Want("mapping and file are one", string(got[:5]), "hello")
}

func outlivesDescriptorAndName(t *T) {
	dir, fd := newFile(t, page)
	a := mapOf(t, fd, 1, rw, mapShared, 0)
	defer unmap(t, a, 1)
	t.Must("unlink", syscall.Unlink(dir+"/f"))
	syscall.Close(fd)
	os.RemoveAll(dir)
	t.Want("contents", bytes.Equal(bytesAt(a, page), fill(page, 1)), true)
	*at(a) = 3
	t.Want("a store", *at(a), byte(3))
}

func msync(t *T) {
	const async, invalidate, sync = 1, 2, 4
	dir, fd := newFile(t, 3*page)
	defer os.RemoveAll(dir)
	defer syscall.Close(fd)
	a := mapOf(t, fd, 3, rw, mapShared, 0)
	do := func(addr, n, flags uintptr) syscall.Errno {
		_, e := call(syscall.SYS_MSYNC, addr, n, flags)
		return e
	}
	t.Want("sync", do(a, 3*page, sync), syscall.Errno(0))
	t.Want("async", do(a, 3*page, async|invalidate), syscall.Errno(0))
	t.Want("both", do(a, page, sync|async), syscall.EINVAL)
	t.Want("unknown flag", do(a, page, 16), syscall.EINVAL)
	t.Want("not a page's start", do(a+1, page, sync), syscall.EINVAL)
	unmap(t, a+page, 1)
	t.Want("a hole", do(a, 3*page, sync), syscall.ENOMEM)
	unmap(t, a, 3)
}

// timesOfStores: the first store after a sync moves mtime and ctime, by msync at the latest.
func timesOfStores(t *T) {
	dir, fd := newFile(t, page)
	defer os.RemoveAll(dir)
	defer syscall.Close(fd)
	a := mapOf(t, fd, 1, rw, mapShared, 0)
	defer unmap(t, a, 1)
	before := fstat(t, fd)
	time.Sleep(20 * time.Millisecond)
	*at(a) = 1
	_, e := call(syscall.SYS_MSYNC, a, page, 4)
	t.Want("msync", e, syscall.Errno(0))
	after := fstat(t, fd)
	t.Want("mtime moved", after.Mtim != before.Mtim, true)
	t.Want("ctime moved", after.Ctim != before.Ctim, true)
}

func mmapErrors(t *T) {
	dir, fd := newFile(t, page)
	defer os.RemoveAll(dir)
	ro, wo := open(t, dir+"/f", syscall.O_RDONLY, 0), open(t, dir+"/f", syscall.O_WRONLY, 0)
	d, path := open(t, dir, syscall.O_RDONLY, 0), open(t, dir+"/f", oPath, 0)
	r, w := pipe(t, 0)
	for _, c := range []struct {
		what        string
		fd          int
		n           uintptr
		prot, flags int
		offset      uintptr
		want        syscall.Errno
	}{
		{"shared and writable, read-only", ro, page, rw, mapShared, 0, syscall.EACCES},
		{"private and writable, read-only", ro, page, rw, mapPrivate, 0, 0},
		{"write-only", wo, page, syscall.PROT_WRITE, mapShared, 0, syscall.EACCES},
		{"no length", fd, 0, rw, mapShared, 0, syscall.EINVAL},
		{"odd offset", fd, page, rw, mapShared, 100, syscall.EINVAL},
		{"neither shared nor private", fd, page, rw, 0, 0, syscall.EINVAL},
		{"directory", d, page, syscall.PROT_READ, mapShared, 0, syscall.ENODEV},
		{"pipe", r, page, syscall.PROT_READ, mapShared, 0, syscall.ENODEV},
		{"O_PATH", path, page, syscall.PROT_READ, mapShared, 0, syscall.EBADF},
		{"bad descriptor", -1, page, syscall.PROT_READ, mapShared, 0, syscall.EBADF},
	} {
		a, e := call(syscall.SYS_MMAP, 0, c.n, uintptr(c.prot), uintptr(c.flags), uintptr(c.fd), c.offset)
		if e != c.want {
			t.Errorf("%s: %v, want %v", c.what, e, c.want)
		}
		if e == 0 {
			unmap(t, a, 1)
		}
	}
	for _, f := range []int{fd, ro, wo, d, path, r, w} {
		syscall.Close(f)
	}
}

func readOnlyStaysReadOnly(t *T) {
	dir, fd := newFile(t, page)
	defer os.RemoveAll(dir)
	syscall.Close(fd)
	ro := open(t, dir+"/f", syscall.O_RDONLY, 0)
	a := mapOf(t, ro, 1, syscall.PROT_READ, mapShared, 0)
	defer unmap(t, a, 1)
	syscall.Close(ro)
	_, e := call(syscall.SYS_MPROTECT, a, page, rw)
	t.Want("mprotect to writable", e, syscall.EACCES)
	t.Want("a store", writeFaults(a), true)
}

func newMemfd(t *T, name string, flags uintptr) int {
	fd, e := call(sysMemfdCreate, text(name), flags)
	if e != 0 {
		t.Fatalf("memfd_create: %v", e)
	}
	return int(fd)
}

func memfd(t *T) {
	fd := newMemfd(t, "a name", 1)
	defer syscall.Close(fd)
	link, err := os.Readlink("/proc/self/fd/" + itoa(fd))
	t.Must("readlink", err)
	t.Want("name", link, "/memfd:a name (deleted)")
	t.Want("links", fstat(t, fd).Nlink, uint64(0))
	t.Want("mode", fstat(t, fd).Mode, uint32(syscall.S_IFREG|0o777))
	syscall.Write(fd, []byte("contents"))
	again := open(t, "/proc/self/fd/"+itoa(fd), syscall.O_RDONLY, 0)
	b := make([]byte, 8)
	syscall.Read(again, b)
	t.Want("opened again", string(b), "contents")
	syscall.Close(again)
	s, e := call(syscall.SYS_FCNTL, uintptr(fd), 1034 /* F_GET_SEALS */, 0)
	t.Want("sealed against seals", e == 0 && s == 1, true)
	_, e = call(sysMemfdCreate, text("x"), 1<<30)
	t.Want("unknown flag", e, syscall.EINVAL)
	_, e = call(sysMemfdCreate, text(string(make250())), 0)
	t.Want("long name", e, syscall.EINVAL)
	x := newMemfd(t, "x", 8|1 /* MFD_NOEXEC_SEAL */)
	defer syscall.Close(x)
	t.Want("mode without execution", fstat(t, x).Mode, uint32(syscall.S_IFREG|0o666))
	t.Want("chmod to executable", errnoOf(syscall.Fchmod(x, 0o755)), syscall.EPERM)
	t.Must("chmod otherwise", syscall.Fchmod(x, 0o600))
}

func make250() []byte { return bytes.Repeat([]byte{'n'}, 250) }

func seals(t *T) {
	const seal, shrink, grow, writes, future = 1, 2, 4, 8, 16
	add := func(fd int, s uintptr) syscall.Errno {
		_, e := call(syscall.SYS_FCNTL, uintptr(fd), 1033 /* F_ADD_SEALS */, s)
		return e
	}
	fd := newMemfd(t, "sealed", 2|1)
	defer syscall.Close(fd)
	syscall.Write(fd, make([]byte, 2*page))
	t.Want("shrink", add(fd, shrink), syscall.Errno(0))
	t.Want("to less", errnoOf(syscall.Ftruncate(fd, page)), syscall.EPERM)
	t.Must("to more", syscall.Ftruncate(fd, 3*page))
	t.Want("grow", add(fd, grow), syscall.Errno(0))
	t.Want("to more", errnoOf(syscall.Ftruncate(fd, 4*page)), syscall.EPERM)
	_, err := syscall.Pwrite(fd, []byte("xx"), 3*page)
	t.Want("write past the end", errnoOf(err), syscall.EPERM)
	t.Want("allocate past the end", fallocate(fd, 0, 3*page, page), syscall.EPERM)
	a := mapOf(t, fd, 1, rw, mapShared, 0)
	t.Want("while it is mapped writable", add(fd, writes), syscall.EBUSY)
	t.Want("of writes to come", add(fd, future), syscall.Errno(0))
	*at(a) = 1
	_, e := call(syscall.SYS_MMAP, 0, page, rw, mapShared, uintptr(fd), 0)
	t.Want("another writable mapping", e, syscall.EPERM)
	unmap(t, a, 1)
	t.Want("now", add(fd, writes), syscall.Errno(0))
	_, err = syscall.Pwrite(fd, []byte("x"), 0)
	t.Want("write", errnoOf(err), syscall.EPERM)
	t.Want("punch", fallocate(fd, 3, 0, page), syscall.EPERM)
	a = mapOf(t, fd, 1, syscall.PROT_READ, mapPrivate, 0)
	t.Want("what was stored", *at(a), byte(1))
	unmap(t, a, 1)
	a = mapOf(t, fd, 1, syscall.PROT_READ, mapShared, 0)
	_, e = call(syscall.SYS_MPROTECT, a, page, rw)
	t.Want("writable afterwards", e, syscall.EACCES)
	unmap(t, a, 1)
	a = mapOf(t, fd, 1, rw, mapPrivate, 0)
	*at(a) = 2
	unmap(t, a, 1)
	t.Want("against seals", add(fd, seal), syscall.Errno(0))
	t.Want("one more", add(fd, shrink), syscall.EPERM)
	s, _ := call(syscall.SYS_FCNTL, uintptr(fd), 1034, 0)
	t.Want("all", s, uintptr(seal|shrink|grow|writes|future))
	t.Want("unknown seal", add(fd, 1<<10), syscall.EINVAL)
}

func writeFromItsOwnMapping(t *T) {
	dir, fd := newFile(t, 2*page)
	defer os.RemoveAll(dir)
	defer syscall.Close(fd)
	a := mapOf(t, fd, 2, rw, mapShared, 0)
	defer unmap(t, a, 2)
	n, e := call(syscall.SYS_PWRITE64, uintptr(fd), a, page, page)
	t.Want("write", n, uintptr(page))
	t.Want("write", e, syscall.Errno(0))
	t.Want("contents", bytes.Equal(bytesAt(a, page), bytesAt(a+page, page)), true)
	n, e = call(syscall.SYS_PREAD64, uintptr(fd), a+100, page, page)
	t.Want("read", e == 0 && n == page, true)
}

func deviceZero(t *T) {
	fd := open(t, "/dev/zero", syscall.O_RDWR, 0)
	a := mapOf(t, fd, 2, rw, mapPrivate, 0)
	syscall.Close(fd)
	t.Want("zero", *at(a), byte(0))
	*at(a) = 1
	t.Want("stored", *at(a), byte(1))
	unmap(t, a, 2)
}
