package main

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// Files: open, read, write, holes, descriptors; attributes are in attribute.go, copies between
// descriptors in splice.go.
var fileChecks = append(append([]check{
	{"append-goes-to-the-end", appendGoesToTheEnd},
	{"create-exclusively", createExclusively},
	{"open-kinds", openKinds},
	{"path-only-descriptor", pathOnlyDescriptor},
	{"file-without-name", fileWithoutName},
	{"direct-io", directIO},
	{"unlinked-but-open", unlinkedButOpen},
	{"holes", holes},
	{"truncate", truncate},
	{"allocate", allocate},
	{"punch-and-zero", punchAndZero},
	{"flags-of-vectors", flagsOfVectors},
	{"vectors", vectors},
	{"bad-memory", badMemory},
	{"access-mode", accessMode},
	{"positions", positions},
	{"descriptor-limit", descriptorLimit},
	{"close-range", closeRange},
	{"duplicates", duplicates},
	{"status-flags", statusFlags},
	{"file-too-large", fileTooLarge},
}, append(append(append(attributeChecks, allocateChecks...), fileEdgeChecks...),
	fileOrderChecks...)...), append(append(permissionChecks, spliceChecks...),
	pipeSizeChecks...)...)

func appendGoesToTheEnd(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	name := dir + "/f"
	a, b := open(t, name, syscall.O_CREAT|syscall.O_RDWR|syscall.O_APPEND, 0o600), open(t, name, syscall.O_RDWR, 0)
	defer syscall.Close(a)
	defer syscall.Close(b)
	syscall.Write(a, []byte("one"))
	syscall.Pwrite(b, []byte("two"), 3)
	syscall.Write(a, []byte("three"))
	n, err := syscall.Pwrite(a, []byte("four"), 0) // Linux: appends, whatever the offset
	t.Want("pwrite", n, 4)
	t.Must("pwrite", err)
	at, _ := syscall.Seek(a, 0, 1)
	t.Want("position after append", at, int64(11))
	t.Want("contents", contents(t, name), "onetwothreefour")
}

func createExclusively(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	excl := syscall.O_CREAT | syscall.O_EXCL | syscall.O_WRONLY
	t.Want("new", openError(dir+"/f", excl), syscall.Errno(0))
	t.Want("again", openError(dir+"/f", excl), syscall.EEXIST)
	t.Must("symlink", os.Symlink("nowhere", dir+"/l"))
	t.Want("dangling link", openError(dir+"/l", excl), syscall.EEXIST)
	t.Want("directory", openError(dir, excl), syscall.EEXIST)
	t.Want("link without O_EXCL", openError(dir+"/l", syscall.O_CREAT|syscall.O_WRONLY), syscall.Errno(0))
	_, err := os.Stat(dir + "/nowhere")
	t.Must("file behind the link", err)
}

func openKinds(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "x")
	t.Must("symlink", os.Symlink("f", dir+"/l"))
	t.Must("symlink", os.Symlink("loop", dir+"/loop"))
	for _, c := range []struct {
		name  string
		flags int
		want  syscall.Errno
	}{
		{"/l", syscall.O_NOFOLLOW, syscall.ELOOP},
		{"/l", syscall.O_NOFOLLOW | syscall.O_DIRECTORY, syscall.ENOTDIR},
		{"/l", syscall.O_NOFOLLOW | oPath, 0},
		{"/loop", 0, syscall.ELOOP},
		{"/f", syscall.O_DIRECTORY, syscall.ENOTDIR},
		{"/f/", 0, syscall.ENOTDIR},
		{"/f/x", 0, syscall.ENOTDIR},
		{"/no", 0, syscall.ENOENT},
		{"/no/x", syscall.O_CREAT | syscall.O_RDWR, syscall.ENOENT},
		{"/new/", syscall.O_CREAT | syscall.O_RDWR, syscall.EISDIR},
		{"", syscall.O_RDWR, syscall.EISDIR},
		{"", syscall.O_CREAT, syscall.EISDIR},
		{"", syscall.O_DIRECTORY, 0},
		{"/.", 0, 0},
		{"/" + strings.Repeat("n", 256), 0, syscall.ENAMETOOLONG},
		{strings.Repeat("/.", 2100), 0, syscall.ENAMETOOLONG},
	} {
		if got := openError(dir+c.name, c.flags); got != c.want {
			t.Errorf("open %.20q with %#x: %v, want %v", c.name, c.flags, got, c.want)
		}
	}
	t.Want("empty path", openError("", 0), syscall.ENOENT)
	fd := open(t, dir+"/f", syscall.O_TRUNC|syscall.O_RDWR, 0)
	t.Want("size after O_TRUNC", fstat(t, fd).Size, int64(0))
	syscall.Close(fd)
}

func pathOnlyDescriptor(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "text")
	p := open(t, dir+"/f", oPath, 0)
	defer syscall.Close(p)
	var b [8]byte
	_, err := syscall.Read(p, b[:])
	t.Want("read", errnoOf(err), syscall.EBADF)
	_, err = syscall.Seek(p, 0, 0)
	t.Want("lseek", errnoOf(err), syscall.EBADF)
	t.Want("fchmod", errnoOf(syscall.Fchmod(p, 0o600)), syscall.EBADF)
	t.Want("ftruncate", errnoOf(syscall.Ftruncate(p, 0)), syscall.EBADF)
	t.Want("fsync", errnoOf(syscall.Fsync(p)), syscall.EBADF)
	t.Want("flock", errnoOf(syscall.Flock(p, syscall.LOCK_SH)), syscall.EBADF)
	t.Want("size by fstat", fstat(t, p).Size, int64(4))
	fl, e := call(syscall.SYS_FCNTL, uintptr(p), syscall.F_GETFL, 0)
	t.Want("F_GETFL", e, syscall.Errno(0))
	t.Want("O_PATH in flags", fl&oPath, uintptr(oPath))
	fd := open(t, "/proc/self/fd/"+itoa(p), syscall.O_RDONLY, 0)
	n, _ := syscall.Read(fd, b[:])
	t.Want("through /proc/self/fd", string(b[:n]), "text")
	syscall.Close(fd)
	d := open(t, dir, oPath|syscall.O_DIRECTORY, 0)
	defer syscall.Close(d)
	fd, err = syscall.Openat(d, "f", syscall.O_RDONLY, 0)
	t.Must("openat below it", err)
	syscall.Close(fd)
	t.Must("fchdir", syscall.Fchdir(d))
	t.Must("chdir", os.Chdir("/"))
}

func fileWithoutName(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	t.Want("O_RDONLY", openError(dir, oTmpfile), syscall.EINVAL)
	fd := open(t, dir, oTmpfile|syscall.O_RDWR, 0o640)
	defer syscall.Close(fd)
	t.Want("links", fstat(t, fd).Nlink, uint64(0))
	syscall.Write(fd, []byte("kept"))
	left, _ := os.ReadDir(dir)
	t.Want("names", len(left), 0)
	_, e := call(syscall.SYS_LINKAT, atFdcwd, text("/proc/self/fd/"+itoa(fd)), atFdcwd, text(dir+"/a"), atFollow)
	t.Want("linkat by /proc", e, syscall.Errno(0))
	_, e = call(syscall.SYS_LINKAT, uintptr(fd), text(""), atFdcwd, text(dir+"/b"), atEmpty)
	t.Want("linkat of the descriptor", e, syscall.Errno(0))
	t.Want("links", fstat(t, fd).Nlink, uint64(2))
	t.Want("contents", contents(t, dir+"/b"), "kept")
	x := open(t, dir, oTmpfile|syscall.O_RDWR|syscall.O_EXCL, 0o640)
	defer syscall.Close(x)
	_, e = call(syscall.SYS_LINKAT, atFdcwd, text("/proc/self/fd/"+itoa(x)), atFdcwd, text(dir+"/c"), atFollow)
	t.Want("linkat after O_EXCL", e, syscall.ENOENT)
}

func directIO(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR|syscall.O_DIRECT, 0o600)
	defer syscall.Close(fd)
	a := mapPages(t, 2, rw)
	defer unmap(t, a, 2)
	copy(bytesAt(a, page), fill(page, 7))
	n, err := syscall.Write(fd, bytesAt(a, page))
	t.Must("write", err)
	t.Want("write", n, page)
	n, err = syscall.Pread(fd, bytesAt(a+page, page), 0)
	t.Must("pread", err)
	t.Want("same bytes", bytes.Equal(bytesAt(a, page), bytesAt(a+page, page)) && n == page, true)
	fl, _ := call(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	t.Want("O_DIRECT in flags", fl&syscall.O_DIRECT, uintptr(syscall.O_DIRECT))
	_, e := call(syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFL, 0)
	t.Want("F_SETFL without it", e, syscall.Errno(0))
}

func unlinkedButOpen(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	syscall.Write(fd, []byte("before"))
	t.Must("unlink", syscall.Unlink(dir+"/f"))
	syscall.Write(fd, []byte(" after"))
	b := make([]byte, 20)
	n, _ := syscall.Pread(fd, b, 0)
	t.Want("contents", string(b[:n]), "before after")
	t.Want("links", fstat(t, fd).Nlink, uint64(0))
	link, _ := os.Readlink("/proc/self/fd/" + itoa(fd))
	t.Want("/proc/self/fd", link, dir+"/f (deleted)")
	again := open(t, "/proc/self/fd/"+itoa(fd), syscall.O_RDONLY, 0)
	n, _ = syscall.Read(again, b)
	t.Want("opened again", string(b[:n]), "before after")
	syscall.Close(again)
}

func holes(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	const mib = 1 << 20
	t.Must("ftruncate", syscall.Ftruncate(fd, 4*mib))
	t.Want("blocks of a hole", fstat(t, fd).Blocks, int64(0))
	syscall.Pwrite(fd, fill(8192, 1), mib)
	if b := fstat(t, fd).Blocks; b < 16 || b > 256 {
		t.Errorf("blocks of 8 KiB: %d", b)
	}
	for _, c := range []struct {
		from   int64
		whence int
		want   int64
		err    syscall.Errno
	}{
		{0, seekData, mib, 0}, {0, seekHole, 0, 0}, {mib, seekHole, mib + 8192, 0},
		{mib + 100, seekData, mib + 100, 0}, {mib + 8192, seekHole, mib + 8192, 0},
		{mib + 8192, seekData, 0, syscall.ENXIO}, {4 * mib, seekHole, 0, syscall.ENXIO},
		{4*mib - 1, seekHole, 4*mib - 1, 0}, {-1, seekData, 0, syscall.ENXIO},
	} {
		at, err := syscall.Seek(fd, c.from, c.whence)
		if errnoOf(err) != c.err || c.err == 0 && at != c.want {
			t.Errorf("lseek(%d, %d): %d, %v; want %d, %v", c.from, c.whence, at, err, c.want, c.err)
		}
	}
	b := bytes.Repeat([]byte{0xff}, 8192)
	n, err := syscall.Pread(fd, b, 3*mib)
	t.Want("read of a hole", n == 8192 && err == nil && bytes.Equal(b, make([]byte, 8192)), true)
}

func truncate(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	name := dir + "/f"
	write(t, name, strings.Repeat("x", 10000))
	t.Must("truncate", os.Truncate(name, 5000))
	t.Must("truncate", os.Truncate(name, 9000))
	t.Want("cut and grown", contents(t, name), strings.Repeat("x", 5000)+strings.Repeat("\x00", 4000))
	t.Want("negative", errnoOf(syscall.Truncate(name, -1)), syscall.EINVAL)
	t.Want("of a directory", errnoOf(syscall.Truncate(dir, 0)), syscall.EISDIR)
	t.Want("of nothing", errnoOf(syscall.Truncate(dir+"/no", 0)), syscall.ENOENT)
	fd := open(t, name, syscall.O_RDONLY, 0)
	t.Want("read-only descriptor", errnoOf(syscall.Ftruncate(fd, 1)), syscall.EINVAL)
	syscall.Close(fd)
	r, w := pipe(t, 0)
	t.Want("of a pipe", errnoOf(syscall.Ftruncate(w, 1)), syscall.EINVAL)
	syscall.Close(r)
	syscall.Close(w)
	before := stat(t, name)
	t.Must("truncate to the same", os.Truncate(name, 9000))
	after := stat(t, name)
	t.Want("ctime is set", after.Ctim.Nano() >= before.Ctim.Nano(), true)
}

func fallocate(fd int, mode, from, n int64) syscall.Errno {
	_, e := call(syscall.SYS_FALLOCATE, uintptr(fd), uintptr(mode), uintptr(from), uintptr(n))
	return e
}

func allocate(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	t.Want("keep size", fallocate(fd, 1, 0, 64<<10), syscall.Errno(0))
	st := fstat(t, fd)
	t.Want("size", st.Size, int64(0))
	t.Want("blocks are there", st.Blocks >= 128, true)
	t.Want("grow", fallocate(fd, 0, 100, 1000), syscall.Errno(0))
	t.Want("size", fstat(t, fd).Size, int64(1100))
	t.Want("no length", fallocate(fd, 0, 0, 0), syscall.EINVAL)
	t.Want("negative offset", fallocate(fd, 0, -1, 10), syscall.EINVAL)
	t.Want("past every end", fallocate(fd, 0, 1<<62, 1<<62), syscall.EFBIG)
	t.Want("unknown mode", fallocate(fd, 0x8000, 0, 10), syscall.EOPNOTSUPP)
	ro := open(t, dir+"/f", syscall.O_RDONLY, 0)
	t.Want("read-only", fallocate(ro, 0, 0, 10), syscall.EBADF)
	syscall.Close(ro)
	r, w := pipe(t, 0)
	t.Want("pipe", fallocate(w, 0, 0, 10), syscall.ESPIPE)
	syscall.Close(r)
	syscall.Close(w)
}

func punchAndZero(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	want := fill(64<<10, 3)
	syscall.Write(fd, want)
	before := fstat(t, fd).Blocks
	t.Want("punch without keep size", fallocate(fd, 2, 0, 10), syscall.EOPNOTSUPP)
	t.Want("punch", fallocate(fd, 3, 5000, 20000), syscall.Errno(0))
	copy(want[5000:25000], make([]byte, 20000))
	same := func(what string) {
		got := make([]byte, len(want)+1)
		n, _ := syscall.Pread(fd, got, 0)
		t.Want("contents after "+what, bytes.Equal(got[:n], want), true)
	}
	same("punch")
	t.Want("blocks are given back", fstat(t, fd).Blocks, before-32)
	at, _ := syscall.Seek(fd, 4096, seekHole)
	t.Want("hole", at, int64(8192))
	t.Want("punch past the end", fallocate(fd, 3, 1<<20, 4096), syscall.Errno(0))
	// Not every file system can; those in memory cannot.
	if e := fallocate(fd, 0x11, 40000, 10000); e == 0 {
		copy(want[40000:50000], make([]byte, 10000))
	} else {
		t.Want("zero range", e, syscall.EOPNOTSUPP)
	}
	same("zero range")
	if e := fallocate(fd, 0x20, 4096, 4096); e == 0 {
		want = append(want[:4096:4096], append(make([]byte, 4096), want[4096:]...)...)
	} else {
		t.Want("insert range", e, syscall.EOPNOTSUPP)
	}
	same("insert range")
	if e := fallocate(fd, 0x08, 4096, 4096); e == 0 {
		want = append(want[:4096:4096], want[8192:]...)
	} else {
		t.Want("collapse range", e, syscall.EOPNOTSUPP)
	}
	same("collapse range")
}

func flagsOfVectors(t *T) {
	const rwfDsync, rwfNowait, rwfAppend = 2, 8, 16
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	do := func(nr uintptr, b []byte, offset int64, flags uintptr) (uintptr, syscall.Errno) {
		v := iovecOf(b)
		return call(nr, uintptr(fd), ptr(&v), 1, uintptr(offset), 0, flags)
	}
	do(sysPwritev2, []byte("0123456789"), 0, rwfDsync)
	n, e := do(sysPwritev2, []byte("abc"), 2, rwfAppend)
	t.Want("append", n, uintptr(3))
	t.Want("append", e, syscall.Errno(0))
	t.Want("contents", contents(t, dir+"/f"), "0123456789abc")
	_, e = do(sysPwritev2, []byte("X"), -1, 0)
	t.Want("at the position", e, syscall.Errno(0))
	b := make([]byte, 5)
	n, e = do(sysPreadv2, b, -1, rwfNowait)
	t.Want("read at the position, cached", string(b[:n]), "12345")
	t.Want("read at the position, cached", e, syscall.Errno(0))
	_, e = do(sysPreadv2, b, 0, 1<<20)
	t.Want("unknown flag", e, syscall.EOPNOTSUPP)
	_, e = do(sysPreadv2, b, -2, 0)
	t.Want("negative offset", e, syscall.EINVAL)
	runtime.KeepAlive(b)
}
