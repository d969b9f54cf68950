package main

import (
	"math"
	"os"
	"syscall"
)

// Which of several things that are wrong is told.
var fileOrderChecks = []check{
	{"path-only-moves-nothing", pathOnlyMovesNothing},
	{"opened-for-neither", openedForNeither},
	{"directory-is-no-source", directoryIsNoSource},
	{"append-to-the-last-byte", appendToTheLastByte},
	{"order-of-errors", orderOfErrors},
}

// emptyFile is a new empty file's path; the caller removes the directory.
func emptyFile(t *T) (dir, path string) {
	dir = tempDir(t)
	write(t, dir+"/f", "")
	return dir, dir + "/f"
}

// wantEach asks with one descriptor for everything that moves bytes.
func wantEach(t *T, fd int, want syscall.Errno, with int) {
	b := make([]byte, 10)
	at := int64(0)
	for _, c := range []struct {
		what string
		nr   uintptr
		args []uintptr
	}{
		{"read", syscall.SYS_READ, []uintptr{uintptr(fd), ptr(&b[0]), 10}},
		{"write", syscall.SYS_WRITE, []uintptr{uintptr(fd), ptr(&b[0]), 10}},
		{"pread", syscall.SYS_PREAD64, []uintptr{uintptr(fd), ptr(&b[0]), 10, 5}},
		{"pwrite", syscall.SYS_PWRITE64, []uintptr{uintptr(fd), ptr(&b[0]), 10, 5}},
		{"fallocate", syscall.SYS_FALLOCATE, []uintptr{uintptr(fd), 0, 0, 10}},
		{"sendfile", syscall.SYS_SENDFILE, []uintptr{uintptr(with), uintptr(fd), ptr(&at), 10}},
		{"copy_file_range", sysCopyFileRange, []uintptr{uintptr(fd), 0, uintptr(with), 0, 10, 0}},
	} {
		_, e := call(c.nr, c.args...)
		t.Want(c.what, e, want)
	}
}

func pathOnlyMovesNothing(t *T) {
	dir, path := emptyFile(t)
	defer os.RemoveAll(dir)
	fd, with := open(t, path, oPath, 0), open(t, dir+"/g", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	defer syscall.Close(with)
	wantEach(t, fd, syscall.EBADF, with)
	d := open(t, dir, oPath, 0)
	defer syscall.Close(d)
	wantEach(t, d, syscall.EBADF, with)
}

// openedForNeither: the access mode 3 needs both rights and gives none.
func openedForNeither(t *T) {
	dir, path := emptyFile(t)
	defer os.RemoveAll(dir)
	fd, with := open(t, path, 3, 0), open(t, dir+"/g", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	defer syscall.Close(with)
	wantEach(t, fd, syscall.EBADF, with)
	t.Want("ftruncate", errnoOf(syscall.Ftruncate(fd, 10)), syscall.EINVAL)
	_, e := call(syscall.SYS_MMAP, 0, page, ro, syscall.MAP_SHARED, uintptr(fd), 0)
	t.Want("mmap", e, syscall.EACCES)
}

func directoryIsNoSource(t *T) {
	dir, path := emptyFile(t)
	defer os.RemoveAll(dir)
	d, f := open(t, dir, syscall.O_RDONLY, 0), open(t, path, syscall.O_RDWR, 0)
	defer syscall.Close(d)
	defer syscall.Close(f)
	r, w := pipe(t, syscall.O_NONBLOCK)
	defer syscall.Close(r)
	defer syscall.Close(w)
	_, e := splice(d, nil, w, nil, 10, 0)
	t.Want("splice", e, syscall.EINVAL)
	_, e = call(syscall.SYS_SENDFILE, uintptr(f), uintptr(d), 0, 10)
	t.Want("sendfile", e, syscall.EINVAL)
	at := int64(math.MaxInt64 - 5)
	_, e = splice(f, &at, w, nil, 10, 0)
	t.Want("splice to nowhere", e, syscall.EINVAL)
}

func appendToTheLastByte(t *T) {
	fd := newMemfd(t, "append", 1)
	defer syscall.Close(fd)
	t.Must("ftruncate", syscall.Ftruncate(fd, math.MaxInt64-5))
	_, e := call(syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFL, syscall.O_APPEND)
	t.Want("O_APPEND", e, syscall.Errno(0))
	k, err := syscall.Write(fd, make([]byte, 10))
	t.Want("cut", k == 5 && err == nil, true)
	syscall.Seek(fd, 0, 0)
	_, err = syscall.Write(fd, make([]byte, 10))
	t.Want("no room", errnoOf(err), syscall.EFBIG)
}

func orderOfErrors(t *T) {
	dir, path := emptyFile(t)
	defer os.RemoveAll(dir)
	t.Must("mkdir", os.MkdirAll(dir+"/d/e", 0o700))
	t.Must("symlink", os.Symlink("nowhere", dir+"/l"))
	t.Want("ftruncate", errnoOf(syscall.Ftruncate(-1, -1)), syscall.EINVAL)
	t.Want("a directory to a name that is there", errnoOf(syscall.Link(dir+"/d", path)), syscall.EEXIST)
	t.Want("a directory to a new name", errnoOf(syscall.Link(dir+"/d", dir+"/n")), syscall.EPERM)
	t.Want("making a link's target as a directory", openError(dir+"/l/", syscall.O_CREAT|syscall.O_WRONLY), syscall.EISDIR)
	t.Want("dot, not replacing", renameat2(dir+"/.", dir+"/..", 1), syscall.EBUSY)
	t.Want("onto dot, not replacing", renameat2(path, dir+"/.", 1), syscall.EEXIST)
	t.Want("exchange with nothing below", renameat2(dir+"/d", dir+"/d/n", 2), syscall.ENOENT)
	t.Want("onto what it is in", renameat2(dir+"/d/e", dir+"/d", 0), syscall.ENOTEMPTY)
	write(t, dir+"/d/e/f", "")
	t.Want("a file onto what it is in", renameat2(dir+"/d/e/f", dir+"/d", 0), syscall.ENOTEMPTY)
	_, e := call(syscall.SYS_MMAP, 0, 0, ro, syscall.MAP_SHARED, 99_999, 0)
	t.Want("nothing of no file", e, syscall.EBADF)
}
