package main

import (
	"os"
	"syscall"
)

var allocateChecks = []check{
	{"allocate-too-much", allocateTooMuch},
	{"allocate-behind-the-end", allocateBehindTheEnd},
	{"allocate-what-is-sealed", allocateWhatIsSealed},
	{"allocate-errors", allocateErrors},
}

// allocateTooMuch: who asks for more than there is gets nothing, and leaves others what they had.
func allocateTooMuch(t *T) {
	dir, err := os.MkdirTemp("/dev/shm", "conformance")
	if err != nil {
		t.Skipf("no /dev/shm")
	}
	defer os.RemoveAll(dir)
	var fs syscall.Statfs_t
	t.Must("statfs", syscall.Statfs(dir, &fs))
	if fs.Type != 0x01021994 && fs.Type != 0x858458f6 || fs.Blocks == 0 { // tmpfs, ramfs
		t.Skipf("/dev/shm has no end")
	}
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	syscall.Pwrite(fd, fill(page, 1), 0)
	for _, mode := range []int64{0, 1} {
		t.Want("fallocate", fallocate(fd, mode, 0, 1<<50), syscall.ENOSPC)
		st := fstat(t, fd)
		t.Want("blocks", st.Blocks, int64(8))
		t.Want("size", st.Size, int64(page))
	}
	t.Must("another file", os.WriteFile(dir+"/g", fill(100000, 2), 0o600))
}

func allocateBehindTheEnd(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	syscall.Pwrite(fd, fill(5000, 1), 0)
	before := fstat(t, fd).Blocks
	t.Want("fallocate", fallocate(fd, 1, 0, 1<<20), syscall.Errno(0))
	t.Want("blocks are there", fstat(t, fd).Blocks >= 2048, true)
	t.Must("ftruncate to the same size", syscall.Ftruncate(fd, 5000))
	t.Want("blocks went", fstat(t, fd).Blocks <= before, true)
	b, _ := os.ReadFile(dir + "/f")
	t.Want("contents", string(b) == string(fill(5000, 1)), true)
}

func allocateWhatIsSealed(t *T) {
	const addSeals, sealGrow, sealWrite = 1033, 4, 8
	fd := newMemfd(t, "allocate", 3)
	defer syscall.Close(fd)
	t.Must("ftruncate", syscall.Ftruncate(fd, 2*page))
	call(syscall.SYS_FCNTL, uintptr(fd), addSeals, sealGrow)
	t.Want("behind the end, size kept", fallocate(fd, 1, 0, 4*page), syscall.EPERM)
	t.Want("behind the end", fallocate(fd, 0, 0, 4*page), syscall.EPERM)
	t.Want("inside", fallocate(fd, 0, 0, page), syscall.Errno(0))
	call(syscall.SYS_FCNTL, uintptr(fd), addSeals, sealWrite)
	t.Want("inside, writes sealed", fallocate(fd, 0, 0, 2*page), syscall.Errno(0))
	t.Want("a hole, writes sealed", fallocate(fd, 3, 0, page), syscall.EPERM)
}

func allocateErrors(t *T) {
	fd := open(t, os.TempDir(), syscall.O_RDONLY, 0)
	defer syscall.Close(fd)
	t.Want("no such mode", fallocate(fd, 2, 0, 10), syscall.EOPNOTSUPP)
	t.Want("past every end", fallocate(fd, 0, 1<<62, 1<<62), syscall.EBADF)
}
