package main

import (
	"os"
	"path/filepath"
	"syscall"
	"unsafe"
)

// Linux's numbers that package syscall does not have.
const (
	sysCopyFileRange = 326
	sysPreadv2       = 327
	sysPwritev2      = 328
	sysStatx         = 332
	sysCloseRange    = 436
	sysOpenat2       = 437
	sysFaccessat2    = 439
	sysFchmodat2     = 452
	sysRenameat2     = 316
	sysMemfdCreate   = 319

	oPath    = 0x200000
	oTmpfile = 0x410000
	atEmpty  = 0x1000
	atNoSym  = 0x100
	atFollow = 0x400
	atFdcwd  = ^uintptr(99) // -100

	seekData = 3
	seekHole = 4
)

// tempDir is a new directory; the caller removes it with its contents.
func tempDir(t *T) string {
	dir, err := os.MkdirTemp("", "conformance")
	t.Must("MkdirTemp", err)
	return dir
}

// text is a C string for a system call.
func text(s string) uintptr {
	p, err := syscall.BytePtrFromString(s)
	if err != nil {
		panic(err)
	}
	texts = append(texts, p)
	return ptr(p)
}

// texts keeps what text made: a uintptr keeps nothing alive.
var texts []*byte

// open opens a file by the system call and ends the check when that fails.
func open(t *T, path string, flags int, mode uint32) int {
	fd, err := syscall.Open(path, flags|syscall.O_CLOEXEC, mode)
	if err != nil {
		t.Fatalf("open %s with %#x: %v", filepath.Base(path), flags, err)
	}
	return fd
}

// openError is what opening fails with; 0: it worked.
func openError(path string, flags int) syscall.Errno {
	fd, err := syscall.Open(path, flags|syscall.O_CLOEXEC, 0o600)
	if err == nil {
		syscall.Close(fd)
		return 0
	}
	return err.(syscall.Errno)
}

// errnoOf makes an error of package syscall or os a number; 0: none.
func errnoOf(err error) syscall.Errno {
	for err != nil {
		if e, ok := err.(syscall.Errno); ok {
			return e
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return ^syscall.Errno(0)
		}
		err = u.Unwrap()
	}
	return 0
}

// write makes a file with contents.
func write(t *T, path, contents string) {
	t.Must("WriteFile", os.WriteFile(path, []byte(contents), 0o600))
}

// contents reads a whole file.
func contents(t *T, path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Errorf("read: %v", err)
	}
	return string(b)
}

func stat(t *T, path string) (st syscall.Stat_t) {
	t.Must("lstat "+filepath.Base(path), syscall.Lstat(path, &st))
	return st
}

func fstat(t *T, fd int) (st syscall.Stat_t) {
	t.Must("fstat", syscall.Fstat(fd, &st))
	return st
}

func pipe(t *T, flags int) (r, w int) {
	var p [2]int
	t.Must("pipe2", syscall.Pipe2(p[:], flags|syscall.O_CLOEXEC))
	return p[0], p[1]
}

type iovec struct {
	base uintptr
	len  uintptr
}

func iovecOf(b []byte) iovec {
	if len(b) == 0 {
		return iovec{}
	}
	return iovec{uintptr(unsafe.Pointer(&b[0])), uintptr(len(b))}
}

// fill makes n bytes that differ along the way, and by seed.
func fill(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*31 ^ byte(i>>16)*17 ^ seed
	}
	return b
}
