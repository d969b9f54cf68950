package main

import (
	"math"
	"os"
	"syscall"
	"time"
)

// Where offsets end, and calls that are the same as nothing.
var fileEdgeChecks = []check{
	{"offsets-end", offsetsEnd},
	{"positions-end", positionsEnd},
	{"copy-within-one-file", copyWithinOneFile},
	{"copy-at-the-last-byte", copyAtTheLastByte},
	{"rename-of-one-file-is-nothing", renameOfOneFileIsNothing},
	{"clone-is-refused", cloneIsRefused},
	{"sync-range-of-a-pipe", syncRangeOfAPipe},
	{"eventfd-takes-8-bytes", eventfdTakes8Bytes},
}

func offsetsEnd(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	b := fill(100, 1)
	for _, at := range []int64{math.MaxInt64, math.MaxInt64 - 99} {
		n, err := syscall.Pwrite(fd, b, at)
		t.Want("pwrite", errnoOf(err), syscall.EINVAL)
		t.Want("written", n, -1)
		n, err = syscall.Pread(fd, b, at)
		t.Want("pread", errnoOf(err), syscall.EINVAL)
		t.Want("read", n, -1)
	}
	t.Want("size", fstat(t, fd).Size, int64(0))
	n, err := syscall.Pread(fd, b, math.MaxInt64-100)
	t.Want("pread of what may be", n == 0 && err == nil, true)
	r, w := pipe(t, 0)
	defer syscall.Close(r)
	defer syscall.Close(w)
	at := int64(math.MaxInt64 - 5)
	_, e := call(syscall.SYS_SENDFILE, uintptr(w), uintptr(fd), ptr(&at), 10)
	t.Want("sendfile", e, syscall.EINVAL)
}

func positionsEnd(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	t.Must("ftruncate", syscall.Ftruncate(fd, 10))
	for whence := 1; whence <= 2; whence++ {
		syscall.Seek(fd, 10, 0)
		_, err := syscall.Seek(fd, math.MaxInt64, whence)
		t.Want("lseek over the end", errnoOf(err), syscall.EINVAL)
		at, _ := syscall.Seek(fd, 0, 1)
		t.Want("position", at, int64(10))
	}
}

// copyWithinOneFile: a copy ends where the file does, and what is not copied does not overlap.
func copyWithinOneFile(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	data := fill(1000, 7)
	syscall.Write(fd, data)
	in, out := int64(0), int64(1000)
	n, e := copyRange(fd, &in, fd, &out, 1<<30, 0)
	t.Want("behind itself", n == 1000 && e == 0, true)
	t.Want("offsets", in == 1000 && out == 2000, true)
	t.Want("contents", contents(t, dir+"/f"), string(data)+string(data))
	in, out = 5000, 0
	n, e = copyRange(fd, &in, fd, &out, 1<<30, 0)
	t.Want("from behind the end", n == 0 && e == 0, true)
	in, out = 0, 500
	_, e = copyRange(fd, &in, fd, &out, 501, 0)
	t.Want("onto itself", e, syscall.EINVAL)
}

func copyAtTheLastByte(t *T) {
	fd := newMemfd(t, "copy", 1)
	defer syscall.Close(fd)
	syscall.Pwrite(fd, fill(1000, 7), 0)
	in, out := int64(0), int64(math.MaxInt64-10)
	m, e := copyRange(fd, &in, fd, &out, 1<<30, 0)
	t.Want("cut", m == 10 && e == 0, true)
	in, out = 0, math.MaxInt64
	_, e = copyRange(fd, &in, fd, &out, 1, 0)
	t.Want("no room", e, syscall.EFBIG)
}

func renameOfOneFileIsNothing(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/a", "x")
	t.Must("link", os.Link(dir+"/a", dir+"/b"))
	w := newWatcher(t)
	defer w.close()
	w.add("dir", dir, syscall.IN_MOVED_FROM|syscall.IN_MOVED_TO)
	before, file := stat(t, dir), stat(t, dir+"/a")
	time.Sleep(20 * time.Millisecond)
	t.Must("onto another name", os.Rename(dir+"/a", dir+"/b"))
	t.Must("onto itself", os.Rename(dir+"/a", dir+"/a"))
	t.Want("exchange", renameat2(dir+"/a", dir+"/b", 2), syscall.Errno(0))
	t.Want("directory's mtime stays", stat(t, dir).Mtim, before.Mtim)
	t.Want("file's ctime stays", stat(t, dir+"/a").Ctim, file.Ctim)
	t.Want("links", stat(t, dir+"/b").Nlink, uint64(2))
	_, err := syscall.Read(w.fd, make([]byte, 1000))
	t.Want("events", errnoOf(err), syscall.EAGAIN)
	write(t, dir+"/c", "y")
	file = stat(t, dir+"/c")
	time.Sleep(20 * time.Millisecond)
	t.Want("exchange of two", renameat2(dir+"/a", dir+"/c", 2), syscall.Errno(0))
	t.Want("the other's ctime", stat(t, dir+"/a").Ctim != file.Ctim, true)
}

func cloneIsRefused(t *T) {
	fd := newMemfd(t, "clone", 1)
	defer syscall.Close(fd)
	_, e := call(syscall.SYS_IOCTL, uintptr(fd), 0x40049409, uintptr(fd))
	t.Want("FICLONE", e, syscall.EOPNOTSUPP)
}

func syncRangeOfAPipe(t *T) {
	r, w := pipe(t, 0)
	defer syscall.Close(r)
	defer syscall.Close(w)
	_, e := call(syscall.SYS_SYNC_FILE_RANGE, uintptr(w), 0, 0, 0)
	t.Want("sync_file_range", e, syscall.ESPIPE)
}

func eventfdTakes8Bytes(t *T) {
	fd, e := call(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC)
	if e != 0 {
		t.Fatalf("eventfd2: %v", e)
	}
	defer syscall.Close(int(fd))
	b := make([]byte, 16)
	b[0] = 1
	n, err := syscall.Write(int(fd), b[:8])
	t.Want("8 bytes", n == 8 && err == nil, true)
	_, err = syscall.Write(int(fd), b[:7])
	t.Want("7 bytes", errnoOf(err), syscall.EINVAL)
	n, err = syscall.Read(int(fd), b)
	t.Want("read with room for 16", n == 8 && err == nil, true)
}
