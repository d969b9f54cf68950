package main

import (
	"os"
	"strconv"
	"syscall"
)

func itoa(n int) string { return strconv.Itoa(n) }

func vectors(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	one, two := []byte("one"), []byte("two")
	v := []iovec{iovecOf(one), {}, iovecOf(two), {}}
	n, e := call(syscall.SYS_WRITEV, uintptr(fd), ptr(&v[0]), 4)
	t.Want("writev", n, uintptr(6))
	n, e = call(syscall.SYS_WRITEV, uintptr(fd), 0, 0)
	t.Want("no vector", n, uintptr(0))
	t.Want("no vector", e, syscall.Errno(0))
	many := make([]iovec, 1025)
	_, e = call(syscall.SYS_READV, uintptr(fd), ptr(&many[0]), 1025)
	t.Want("1025 vectors", e, syscall.EINVAL)
	a, b := make([]byte, 2), make([]byte, 10)
	v = []iovec{iovecOf(a), iovecOf(b)}
	n, _ = call(syscall.SYS_PREADV, uintptr(fd), ptr(&v[0]), 2, 1, 0)
	t.Want("preadv", string(a)+string(b[:n-2]), "netwo")
	n, e = call(syscall.SYS_PREADV, uintptr(fd), ptr(&v[0]), 2, 6, 0)
	t.Want("preadv at the end", n, uintptr(0))
	_, e = call(syscall.SYS_PREADV, uintptr(fd), ptr(&v[0]), 2, ^uintptr(0), ^uintptr(0))
	t.Want("preadv at -1", e, syscall.EINVAL)
	v[0].len = 1 << 63
	_, e = call(syscall.SYS_READV, uintptr(fd), ptr(&v[0]), 2)
	t.Want("negative length", e, syscall.EINVAL)
	r, w := pipe(t, 0)
	_, err := syscall.Pread(r, a, 0)
	t.Want("pread of a pipe", errnoOf(err), syscall.ESPIPE)
	_, err = syscall.Pread(fd, a, -1)
	t.Want("pread at -1", errnoOf(err), syscall.EINVAL)
	syscall.Close(r)
	syscall.Close(w)
}

func badMemory(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	_, e := call(syscall.SYS_WRITE, uintptr(fd), badPointer, 10)
	t.Want("write", e, syscall.EFAULT)
	t.Want("size", fstat(t, fd).Size, int64(0))
	a := mapPages(t, 2, rw)
	defer unmap(t, a, 2)
	if _, e := call(syscall.SYS_MPROTECT, a+page, page, 0); e != 0 {
		t.Fatalf("mprotect: %v", e)
	}
	n, e := call(syscall.SYS_WRITE, uintptr(fd), a+page-100, 200)
	if e != syscall.EFAULT && !(e == 0 && n == 100) {
		t.Errorf("write over the edge: %d, %v", n, e)
	}
	t.Must("ftruncate", syscall.Ftruncate(fd, 8192))
	n, e = call(syscall.SYS_PREAD64, uintptr(fd), a+page-100, 200, 0)
	t.Want("read over the edge", n, uintptr(100))
	t.Want("read over the edge", e, syscall.Errno(0))
	_, e = call(syscall.SYS_PREAD64, uintptr(fd), badPointer, 10, 0)
	t.Want("read", e, syscall.EFAULT)
	_, e = call(syscall.SYS_OPEN, badPointer, 0, 0)
	t.Want("open", e, syscall.EFAULT)
	_, e = call(syscall.SYS_FSTAT, uintptr(fd), badPointer)
	t.Want("fstat", e, syscall.EFAULT)
}

func accessMode(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "x")
	w, r := open(t, dir+"/f", syscall.O_WRONLY, 0), open(t, dir+"/f", syscall.O_RDONLY, 0)
	d := open(t, dir, syscall.O_RDONLY, 0)
	defer syscall.Close(w)
	defer syscall.Close(r)
	defer syscall.Close(d)
	b := make([]byte, 1)
	_, err := syscall.Read(w, b)
	t.Want("read of a write-only descriptor", errnoOf(err), syscall.EBADF)
	_, err = syscall.Write(r, b)
	t.Want("write to a read-only descriptor", errnoOf(err), syscall.EBADF)
	_, err = syscall.Read(d, b)
	t.Want("read of a directory", errnoOf(err), syscall.EISDIR)
	t.Must("fsync of a directory", syscall.Fsync(d))
	t.Must("fdatasync", syscall.Fdatasync(r))
	_, err = syscall.Read(-1, b)
	t.Want("read of -1", errnoOf(err), syscall.EBADF)
}

func positions(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "0123456789")
	fd := open(t, dir+"/f", syscall.O_RDWR, 0)
	defer syscall.Close(fd)
	for _, c := range []struct {
		offset int64
		whence int
		want   int64
		err    syscall.Errno
	}{
		{4, 0, 4, 0}, {2, 1, 6, 0}, {-7, 1, 0, syscall.EINVAL}, {0, 1, 6, 0}, {-3, 2, 7, 0},
		{100, 2, 110, 0}, {0, 9, 0, syscall.EINVAL}, {-1, 0, 0, syscall.EINVAL},
	} {
		at, err := syscall.Seek(fd, c.offset, c.whence)
		if errnoOf(err) != c.err || c.err == 0 && at != c.want {
			t.Errorf("lseek(%d, %d): %d, %v; want %d, %v", c.offset, c.whence, at, err, c.want, c.err)
		}
	}
	b := make([]byte, 4)
	n, err := syscall.Read(fd, b)
	t.Want("read past the end", n, 0)
	t.Must("read past the end", err)
	syscall.Write(fd, []byte("x"))
	t.Want("size after a write past the end", fstat(t, fd).Size, int64(111))
	r, w := pipe(t, 0)
	_, err = syscall.Seek(r, 0, 0)
	t.Want("lseek of a pipe", errnoOf(err), syscall.ESPIPE)
	syscall.Close(r)
	syscall.Close(w)
	dup, _ := syscall.Dup(fd)
	syscall.Seek(dup, 3, 0)
	at, _ := syscall.Seek(fd, 0, 1)
	t.Want("a duplicate shares the position", at, int64(3))
	syscall.Close(dup)
}

func descriptorLimit(t *T) {
	var old syscall.Rlimit
	t.Must("getrlimit", syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old))
	low := open(t, "/dev/null", syscall.O_RDONLY, 0)
	limit := syscall.Rlimit{Cur: uint64(low) + 20, Max: old.Max}
	_, e := call(syscall.SYS_PRLIMIT64, 0, syscall.RLIMIT_NOFILE, ptr(&limit), 0)
	t.Want("prlimit", e, syscall.Errno(0))
	var opened []int
	var err error
	for len(opened) < 100 && err == nil {
		var fd int
		if fd, err = syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0); err == nil {
			opened = append(opened, fd)
		}
	}
	t.Want("open at the limit", errnoOf(err), syscall.EMFILE)
	var p [2]int
	t.Want("pipe at the limit", errnoOf(syscall.Pipe(p[:])), syscall.EMFILE)
	_, err = syscall.Dup(low)
	t.Want("dup at the limit", errnoOf(err), syscall.EMFILE)
	t.Want("dup2 above the limit", errnoOf(syscall.Dup2(low, low+20)), syscall.EBADF)
	_, e = call(syscall.SYS_FCNTL, uintptr(low), syscall.F_DUPFD, uintptr(low+20))
	t.Want("F_DUPFD above the limit", e, syscall.EINVAL)
	_, e = call(syscall.SYS_PRLIMIT64, 0, syscall.RLIMIT_NOFILE, ptr(&old), 0)
	t.Want("prlimit back", e, syscall.Errno(0))
	for _, fd := range append(opened, low) {
		if fd >= low+20 {
			t.Errorf("descriptor %d above the limit of %d", fd, low+20)
		}
		syscall.Close(fd)
	}
}

func closeRange(t *T) {
	const base = 700
	null := open(t, "/dev/null", syscall.O_RDONLY, 0)
	defer syscall.Close(null)
	for fd := base; fd < base+10; fd++ {
		t.Must("dup2", syscall.Dup2(null, fd))
	}
	isOpen := func(fd int) bool {
		_, e := call(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		return e == 0
	}
	_, e := call(sysCloseRange, base+2, base+5, 0)
	t.Want("close_range", e, syscall.Errno(0))
	for fd := base; fd < base+10; fd++ {
		if want := fd < base+2 || fd > base+5; isOpen(fd) != want {
			t.Errorf("descriptor base+%d: open %v, want %v", fd-base, isOpen(fd), want)
		}
	}
	_, e = call(sysCloseRange, base+8, base+5, 0)
	t.Want("empty range", e, syscall.EINVAL)
	_, e = call(sysCloseRange, base, base+9, 4 /* CLOEXEC */)
	t.Want("close on exec", e, syscall.Errno(0))
	fl, _ := call(syscall.SYS_FCNTL, base, syscall.F_GETFD, 0)
	t.Want("FD_CLOEXEC", fl, uintptr(1))
	_, e = call(sysCloseRange, base, ^uintptr(0)>>32, 0)
	t.Want("to the end", e, syscall.Errno(0))
	t.Want("after the end", isOpen(base+9), false)
	_, e = call(sysCloseRange, base, base, 8)
	t.Want("unknown flag", e, syscall.EINVAL)
}

func duplicates(t *T) {
	fd := open(t, "/dev/null", syscall.O_RDONLY, 0)
	t.Want("dup2 of a bad one", errnoOf(syscall.Dup2(fd+1000, 5)), syscall.EBADF)
	t.Must("dup2 to itself", syscall.Dup2(fd, fd))
	t.Want("dup3 to itself", errnoOf(syscall.Dup3(fd, fd, 0)), syscall.EINVAL)
	t.Want("dup3 with unknown flags", errnoOf(syscall.Dup3(fd, fd+1, 1)), syscall.EINVAL)
	high, e := call(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 800)
	t.Want("F_DUPFD_CLOEXEC", e, syscall.Errno(0))
	t.Want("number", high >= 800, true)
	fl, _ := call(syscall.SYS_FCNTL, high, syscall.F_GETFD, 0)
	t.Want("FD_CLOEXEC", fl, uintptr(1))
	t.Must("close", syscall.Close(int(high)))
	t.Want("close again", errnoOf(syscall.Close(int(high))), syscall.EBADF)
	t.Must("close", syscall.Close(fd))
	low := open(t, "/dev/null", syscall.O_RDONLY, 0)
	t.Want("lowest number", low <= fd, true)
	syscall.Close(low)
}

func statusFlags(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_WRONLY, 0o600)
	defer syscall.Close(fd)
	get := func() uintptr {
		fl, e := call(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
		t.Want("F_GETFL", e, syscall.Errno(0))
		return fl
	}
	t.Want("flags", get(), uintptr(syscall.O_WRONLY|0o100000))
	call(syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFL, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_APPEND|syscall.O_CREAT)
	t.Want("flags", get(), uintptr(syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_APPEND|0o100000))
	on := int32(0)
	_, e := call(syscall.SYS_IOCTL, uintptr(fd), 0x5421 /* FIONBIO */, ptr(&on))
	t.Want("FIONBIO", e, syscall.Errno(0))
	t.Want("O_NONBLOCK is gone", get()&syscall.O_NONBLOCK, uintptr(0))
	_, e = call(syscall.SYS_FCNTL, uintptr(fd), 9999, 0)
	t.Want("unknown command", e, syscall.EINVAL)
	_, e = call(syscall.SYS_IOCTL, uintptr(fd), syscall.TCGETS, 0)
	t.Want("TCGETS of a file", e, syscall.ENOTTY)
	write(t, dir+"/g", "12345")
	g := open(t, dir+"/g", syscall.O_RDONLY, 0)
	var left int32
	_, e = call(syscall.SYS_IOCTL, uintptr(g), 0x541b /* FIONREAD */, ptr(&left))
	t.Want("FIONREAD", e, syscall.Errno(0))
	t.Want("FIONREAD", left, int32(5))
	syscall.Close(g)
}

func fileTooLarge(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	_, err := syscall.Pwrite(fd, []byte("xx"), 1<<63-2)
	if e := errnoOf(err); e != syscall.EFBIG && e != syscall.EINVAL {
		t.Errorf("write at the very end: %v", err)
	}
	t.Want("size", fstat(t, fd).Size, int64(0))
}
