package main

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Names: rename, links, symbolic links, removal, listing, named pipes, openat2.
var directoryChecks = []check{
	{"rename-replaces", renameReplaces},
	{"rename-refuses", renameRefuses},
	{"rename-flags", renameFlags},
	{"rename-of-one-file", renameOfOneFile},
	{"hard-links", hardLinks},
	{"symbolic-links", symbolicLinks},
	{"remove", removeNames},
	{"make", makeNames},
	{"slashes", slashes},
	{"removed-directory", removedDirectory},
	{"list-while-removing", listWhileRemoving},
	{"list-positions", listPositions},
	{"list-entries", listEntries},
	{"named-pipe", namedPipe},
	{"openat2", openat2},
	{"openat2-resolve", openat2Resolve},
}

func renameat2(from, to string, flags uintptr) syscall.Errno {
	_, e := call(sysRenameat2, atFdcwd, text(from), atFdcwd, text(to), flags)
	return e
}

func renameReplaces(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/a", "a")
	write(t, dir+"/b", "b")
	b := open(t, dir+"/b", syscall.O_RDONLY, 0)
	defer syscall.Close(b)
	ino := stat(t, dir+"/a").Ino
	t.Must("rename", syscall.Rename(dir+"/a", dir+"/b"))
	t.Want("contents", contents(t, dir+"/b"), "a")
	t.Want("inode", stat(t, dir+"/b").Ino, ino)
	t.Want("links of the replaced", fstat(t, b).Nlink, uint64(0))
	_, err := os.Lstat(dir + "/a")
	t.Want("old name", errnoOf(err), syscall.ENOENT)
	t.Must("mkdir", os.Mkdir(dir+"/d", 0o700))
	t.Must("mkdir", os.Mkdir(dir+"/e", 0o700))
	write(t, dir+"/d/x", "x")
	t.Must("onto an empty directory", syscall.Rename(dir+"/d", dir+"/e"))
	t.Want("contents", contents(t, dir+"/e/x"), "x")
	t.Must("directory with a slash", syscall.Rename(dir+"/e", dir+"/new/"))
	t.Must("symlink", os.Symlink("nowhere", dir+"/l"))
	t.Must("of a link", syscall.Rename(dir+"/l", dir+"/m"))
	l, _ := os.Readlink(dir + "/m")
	t.Want("link", l, "nowhere")
}

func renameRefuses(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	t.Must("mkdir", os.MkdirAll(dir+"/d/e/f", 0o700))
	t.Must("mkdir", os.MkdirAll(dir+"/full/x", 0o700))
	write(t, dir+"/file", "")
	for _, c := range []struct {
		from, to string
		want     syscall.Errno
	}{
		{"/d", "/full", syscall.ENOTEMPTY}, {"/file", "/d", syscall.EISDIR}, {"/d", "/file", syscall.ENOTDIR},
		{"/d", "/d/e/g", syscall.EINVAL}, {"/d", "/d/g", syscall.EINVAL}, {"/d/e/f", "/d", syscall.ENOTEMPTY},
		{"/no", "/x", syscall.ENOENT}, {"/file", "/no/x", syscall.ENOENT}, {"/file", "/x/", syscall.ENOTDIR},
		{"/file/", "/x", syscall.ENOTDIR}, {"/d/.", "/x", syscall.EBUSY}, {"/d", "/full/..", syscall.EBUSY},
		{"/file", "/file/x", syscall.ENOTDIR}, {"/file", "/" + strings.Repeat("n", 256), syscall.ENAMETOOLONG},
		{"/d", "/d", 0}, {"/file", "/file", 0},
	} {
		if e := errnoOf(syscall.Rename(dir+c.from, dir+c.to)); e != c.want {
			t.Errorf("rename %s to %.20s: %v, want %v", c.from, c.to, e, c.want)
		}
	}
}

func renameFlags(t *T) {
	const noReplace, exchange = 1, 2
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/a", "a")
	write(t, dir+"/b", "b")
	t.Must("mkdir", os.MkdirAll(dir+"/d/e", 0o700))
	t.Want("no replace, there", renameat2(dir+"/a", dir+"/b", noReplace), syscall.EEXIST)
	t.Want("no replace, free", renameat2(dir+"/a", dir+"/c", noReplace), syscall.Errno(0))
	t.Want("no replace of itself", renameat2(dir+"/b", dir+"/b", noReplace), syscall.EEXIST)
	t.Want("exchange", renameat2(dir+"/c", dir+"/b", exchange), syscall.Errno(0))
	t.Want("contents", contents(t, dir+"/b")+contents(t, dir+"/c"), "ab")
	t.Want("exchange with nothing", renameat2(dir+"/c", dir+"/no", exchange), syscall.ENOENT)
	t.Want("exchange with what is below", renameat2(dir+"/d", dir+"/d/e", exchange), syscall.EINVAL)
	t.Want("exchange with what is above", renameat2(dir+"/d/e", dir+"/d", exchange), syscall.EINVAL)
	before := stat(t, dir).Nlink
	t.Want("exchange of file and directory", renameat2(dir+"/b", dir+"/d/e", exchange), syscall.Errno(0))
	t.Want("the directory", stat(t, dir+"/b").Mode&syscall.S_IFMT, uint32(syscall.S_IFDIR))
	t.Want("links of the parents", stat(t, dir).Nlink-before, uint64(1))
	t.Want("links of the parents", stat(t, dir+"/d").Nlink, uint64(2))
	t.Want("parent of what moved", stat(t, dir+"/b/..").Ino, stat(t, dir).Ino)
	t.Want("both flags", renameat2(dir+"/b", dir+"/c", noReplace|exchange), syscall.EINVAL)
	t.Want("unknown flag", renameat2(dir+"/b", dir+"/c", 64), syscall.EINVAL)
}

func renameOfOneFile(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/a", "")
	t.Must("link", os.Link(dir+"/a", dir+"/b"))
	t.Must("rename", syscall.Rename(dir+"/a", dir+"/b"))
	t.Want("both names stay", stat(t, dir+"/a").Nlink, uint64(2))
}

func hardLinks(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "one")
	t.Must("link", syscall.Link(dir+"/f", dir+"/g"))
	write(t, dir+"/g", "two")
	t.Want("the same file", contents(t, dir+"/f"), "two")
	t.Must("mkdir", os.Mkdir(dir+"/d", 0o700))
	t.Want("of a directory", errnoOf(syscall.Link(dir+"/d", dir+"/x")), syscall.EPERM)
	t.Want("onto a name", errnoOf(syscall.Link(dir+"/f", dir+"/g")), syscall.EEXIST)
	t.Want("of nothing", errnoOf(syscall.Link(dir+"/no", dir+"/x")), syscall.ENOENT)
	t.Want("to nowhere", errnoOf(syscall.Link(dir+"/f", dir+"/no/x")), syscall.ENOENT)
	t.Must("symlink", os.Symlink("f", dir+"/l"))
	t.Must("link of a link", syscall.Link(dir+"/l", dir+"/m"))
	t.Want("is a link", stat(t, dir+"/m").Mode&syscall.S_IFMT, uint32(syscall.S_IFLNK))
	_, e := call(syscall.SYS_LINKAT, atFdcwd, text(dir+"/l"), atFdcwd, text(dir+"/n"), atFollow)
	t.Want("following", e, syscall.Errno(0))
	t.Want("links", stat(t, dir+"/f").Nlink, uint64(3))
	_, e = call(syscall.SYS_LINKAT, atFdcwd, text(dir+"/l"), atFdcwd, text(dir+"/o"), 1)
	t.Want("unknown flag", e, syscall.EINVAL)
	_, e = call(syscall.SYS_LINKAT, atFdcwd, text(""), atFdcwd, text(dir+"/o"), 0)
	t.Want("empty path", e, syscall.ENOENT)
}

func symbolicLinks(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/l0", "end")
	for i := 1; i <= 41; i++ {
		t.Must("symlink", os.Symlink("l"+itoa(i-1), dir+"/l"+itoa(i)))
	}
	t.Want("40 links", openError(dir+"/l40", 0), syscall.Errno(0))
	t.Want("41 links", openError(dir+"/l41", 0), syscall.ELOOP)
	b := make([]byte, 100)
	n, err := syscall.Readlink(dir+"/l12", b[:2])
	t.Must("readlink into a short buffer", err)
	t.Want("readlink into a short buffer", string(b[:n]), "l1")
	_, err = syscall.Readlink(dir+"/l0", b)
	t.Want("readlink of a file", errnoOf(err), syscall.EINVAL)
	_, e := call(syscall.SYS_READLINK, text(dir+"/l1"), ptr(&b[0]), 0)
	t.Want("readlink into nothing", e, syscall.EINVAL)
	t.Want("empty target", errnoOf(syscall.Symlink("", dir+"/e")), syscall.ENOENT)
	t.Want("onto a name", errnoOf(syscall.Symlink("x", dir+"/l0")), syscall.EEXIST)
	t.Want("size", stat(t, dir+"/l12").Size, int64(3))
	fd := open(t, dir+"/l12", oPath|syscall.O_NOFOLLOW, 0)
	r, e := call(syscall.SYS_READLINKAT, uintptr(fd), text(""), ptr(&b[0]), 100)
	t.Want("readlinkat of a descriptor", e, syscall.Errno(0))
	t.Want("readlinkat of a descriptor", string(b[:r%100]), "l11")
	syscall.Close(fd)
	t.Must("mkdir", os.MkdirAll(dir+"/d/e", 0o700))
	t.Must("symlink", os.Symlink(dir+"/d/e", dir+"/abs"))
	t.Must("symlink", os.Symlink("../l0", dir+"/d/up"))
	t.Want("relative to its own directory", contents(t, dir+"/d/up"), "end")
	t.Want(".. after a link", stat(t, dir+"/abs/..").Ino, stat(t, dir+"/d").Ino)
	t.Want("a link with a slash is followed", stat(t, dir+"/abs/").Mode&syscall.S_IFMT, uint32(syscall.S_IFDIR))
	t.Want("mkdir on a dangling link", errnoOf(syscall.Mkdir(dir+"/l41", 0o700)), syscall.EEXIST)
	t.Want("rmdir of a link", errnoOf(syscall.Rmdir(dir+"/abs")), syscall.ENOTDIR)
	t.Must("unlink of a link", syscall.Unlink(dir+"/abs"))
	stat(t, dir+"/d/e")
}

func removeNames(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	t.Must("mkdir", os.MkdirAll(dir+"/d/e", 0o700))
	write(t, dir+"/f", "")
	t.Want("unlink of a directory", errnoOf(syscall.Unlink(dir+"/d")), syscall.EISDIR)
	t.Want("unlink of nothing", errnoOf(syscall.Unlink(dir+"/no")), syscall.ENOENT)
	t.Want("unlink with a slash", errnoOf(syscall.Unlink(dir+"/f/")), syscall.ENOTDIR)
	t.Want("rmdir of a file", errnoOf(syscall.Rmdir(dir+"/f")), syscall.ENOTDIR)
	t.Want("rmdir of a full one", errnoOf(syscall.Rmdir(dir+"/d")), syscall.ENOTEMPTY)
	t.Want("rmdir of .", errnoOf(syscall.Rmdir(dir+"/d/.")), syscall.EINVAL)
	t.Want("rmdir of ..", errnoOf(syscall.Rmdir(dir+"/d/e/..")), syscall.ENOTEMPTY)
	t.Want("rmdir of the root", errnoOf(syscall.Rmdir("/")), syscall.EBUSY)
	t.Must("rmdir with a slash", syscall.Rmdir(dir+"/d/e/"))
	fd := open(t, dir, syscall.O_RDONLY, 0)
	_, e := call(syscall.SYS_UNLINKAT, uintptr(fd), text("d"), 0x200 /* AT_REMOVEDIR */)
	t.Want("unlinkat of a directory", e, syscall.Errno(0))
	_, e = call(syscall.SYS_UNLINKAT, uintptr(fd), text("f"), 1)
	t.Want("unlinkat with unknown flags", e, syscall.EINVAL)
	_, e = call(syscall.SYS_UNLINKAT, uintptr(fd), text("f"), 0)
	t.Want("unlinkat", e, syscall.Errno(0))
	syscall.Close(fd)
}

func makeNames(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	t.Must("mkdir with a slash", syscall.Mkdir(dir+"/d/", 0o700))
	t.Want("mkdir again", errnoOf(syscall.Mkdir(dir+"/d", 0o700)), syscall.EEXIST)
	t.Want("mkdir of .", errnoOf(syscall.Mkdir(dir+"/.", 0o700)), syscall.EEXIST)
	t.Want("mkdir of the root", errnoOf(syscall.Mkdir("/", 0o700)), syscall.EEXIST)
	t.Want("mkdir below nothing", errnoOf(syscall.Mkdir(dir+"/no/x", 0o700)), syscall.ENOENT)
	t.Must("name of 255", syscall.Mkdir(dir+"/"+strings.Repeat("n", 255), 0o700))
	t.Want("name of 256", errnoOf(syscall.Mkdir(dir+"/"+strings.Repeat("n", 256), 0o700)), syscall.ENAMETOOLONG)
	t.Must("mknod of a file", syscall.Mknod(dir+"/f", syscall.S_IFREG|0o600, 0))
	t.Must("mknod of a socket", syscall.Mknod(dir+"/s", syscall.S_IFSOCK|0o600, 0))
	t.Want("open of a socket", openError(dir+"/s", syscall.O_RDWR), syscall.ENXIO)
	t.Want("mknod of a directory", errnoOf(syscall.Mknod(dir+"/x", syscall.S_IFDIR|0o700, 0)), syscall.EPERM)
	t.Want("mknod again", errnoOf(syscall.Mknod(dir+"/f", syscall.S_IFREG|0o600, 0)), syscall.EEXIST)
}

func removedDirectory(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	t.Must("mkdir", os.Mkdir(dir+"/d", 0o700))
	fd := open(t, dir+"/d", syscall.O_RDONLY, 0)
	defer syscall.Close(fd)
	defer os.Chdir("/")
	t.Must("chdir", os.Chdir(dir+"/d"))
	t.Must("rmdir", syscall.Rmdir(dir+"/d"))
	b := make([]byte, 500)
	_, e := call(syscall.SYS_GETCWD, ptr(&b[0]), 500)
	t.Want("getcwd", e, syscall.ENOENT)
	t.Want("new file", openError("x", syscall.O_CREAT|syscall.O_RDWR), syscall.ENOENT)
	t.Want("mkdir", errnoOf(syscall.Mkdir("x", 0o700)), syscall.ENOENT)
	_, err := syscall.Getdents(fd, b)
	t.Want("getdents64", errnoOf(err), syscall.ENOENT)
	t.Want("links", fstat(t, fd).Nlink, uint64(0))
	t.Must(".. still leads up", os.Chdir(".."))
	_, e = call(syscall.SYS_GETCWD, ptr(&b[0]), 3)
	t.Want("getcwd into a short buffer", e, syscall.ERANGE)
	n, _ := call(syscall.SYS_GETCWD, ptr(&b[0]), 500)
	real, _ := filepath.EvalSymlinks(dir)
	t.Want("getcwd", string(b[:n-1]), real)
}

type entry struct {
	ino  uint64
	next int64
	kind byte
	name string
}

// list reads entries from where fd is, with a buffer of that size, until the end.
func list(t *T, fd, size int) (all []entry) {
	b := make([]byte, size)
	for {
		n, err := syscall.Getdents(fd, b)
		t.Must("getdents64", err)
		if n == 0 {
			return all
		}
		all = append(all, entries(b[:n])...)
	}
}

func entries(b []byte) (all []entry) {
	for len(b) > 0 {
		d := (*syscall.Dirent)(unsafe.Pointer(&b[0]))
		name, _, _ := strings.Cut(string(b[19:d.Reclen]), "\x00")
		all = append(all, entry{d.Ino, d.Off, d.Type, name})
		b = b[d.Reclen:]
	}
	return all
}

func listWhileRemoving(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	const files = 3000
	for i := 0; i < files; i++ {
		syscall.Close(open(t, dir+"/file-"+itoa(i), syscall.O_CREAT|syscall.O_WRONLY, 0o600))
	}
	fd := open(t, dir, syscall.O_RDONLY, 0)
	defer syscall.Close(fd)
	seen := map[string]int{}
	b := make([]byte, 2048)
	for {
		n, err := syscall.Getdents(fd, b)
		t.Must("getdents64", err)
		if n == 0 {
			break
		}
		for i, e := range entries(b[:n]) {
			seen[e.name]++
			if e.name[0] != '.' && i%2 == 0 { // half of them go at once, half stay
				t.Must("unlink", syscall.Unlink(dir+"/"+e.name))
			}
		}
	}
	t.Want("names", len(seen), files+2)
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s is listed %d times", name, n)
		}
	}
	t.Must("RemoveAll", os.RemoveAll(dir))
}

func listPositions(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	for i := 0; i < 100; i++ {
		write(t, dir+"/f"+itoa(i), "")
	}
	fd := open(t, dir, syscall.O_RDONLY, 0)
	defer syscall.Close(fd)
	all := list(t, fd, 512)
	t.Want("entries", len(all), 102)
	syscall.Seek(fd, all[40].next, 0)
	rest := list(t, fd, 4096)
	t.Want("from a position on", len(rest), 61)
	t.Want("next one", rest[0].name, all[41].name)
	syscall.Seek(fd, 0, 0)
	write(t, dir+"/new", "")
	t.Want("from the start again", len(list(t, fd, 4096)), 103)
	syscall.Seek(fd, 0, 0)
	_, err := syscall.Getdents(fd, make([]byte, 10))
	t.Want("short buffer", errnoOf(err), syscall.EINVAL)
	f := open(t, dir+"/new", syscall.O_RDONLY, 0)
	_, err = syscall.Getdents(f, make([]byte, 100))
	t.Want("of a file", errnoOf(err), syscall.ENOTDIR)
	syscall.Close(f)
}

func listEntries(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/file", "")
	t.Must("mkdir", os.Mkdir(dir+"/dir", 0o700))
	t.Must("symlink", os.Symlink("x", dir+"/link"))
	t.Must("mkfifo", syscall.Mkfifo(dir+"/fifo", 0o600))
	t.Must("mknod", syscall.Mknod(dir+"/socket", syscall.S_IFSOCK|0o600, 0))
	fd := open(t, dir, syscall.O_RDONLY, 0)
	defer syscall.Close(fd)
	all := list(t, fd, 4096)
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	kinds := map[string]byte{".": 4, "..": 4, "dir": 4, "fifo": 1, "file": 8, "link": 10, "socket": 12}
	t.Want("entries", len(all), len(kinds))
	for _, e := range all {
		t.Want("kind of "+e.name, e.kind, kinds[e.name])
		if e.name != ".." {
			t.Want("inode of "+e.name, e.ino, stat(t, dir+"/"+e.name).Ino)
		}
	}
}

func namedPipe(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	p := dir + "/p"
	t.Must("mkfifo", syscall.Mkfifo(p, 0o600))
	t.Want("write-only without a reader", openError(p, syscall.O_WRONLY|syscall.O_NONBLOCK), syscall.ENXIO)
	r := open(t, p, syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	b := make([]byte, 10)
	n, err := syscall.Read(r, b)
	t.Want("no writer yet: end of file", n == 0 && err == nil, true)
	w := open(t, p, syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
	_, err = syscall.Read(r, b)
	t.Want("empty", errnoOf(err), syscall.EAGAIN)
	syscall.Write(w, []byte("abc"))
	n, _ = syscall.Read(r, b)
	t.Want("read", string(b[:n]), "abc")
	syscall.Close(w)
	n, err = syscall.Read(r, b)
	t.Want("writer gone: end of file", n == 0 && err == nil, true)
	syscall.Close(r)
	opened := make(chan int)
	go func() { // waits for the reader
		fd, err := syscall.Open(p, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			fd = -1
		}
		opened <- fd
	}()
	select {
	case <-opened:
		t.Fatalf("opened for writing without a reader")
	case <-time.After(100 * time.Millisecond):
	}
	r = open(t, p, syscall.O_RDONLY, 0)
	w = <-opened
	syscall.Write(w, []byte("later"))
	n, _ = syscall.Read(r, b)
	t.Want("read", string(b[:n]), "later")
	syscall.Close(r)
	_, err = syscall.Write(w, []byte("x"))
	t.Want("reader gone", errnoOf(err), syscall.EPIPE)
	syscall.Close(w)
	both := open(t, p, syscall.O_RDWR, 0)
	syscall.Write(both, []byte("self"))
	n, _ = syscall.Read(both, b)
	t.Want("both ends", string(b[:n]), "self")
	syscall.Close(both)
}

type openHow struct{ flags, mode, resolve uint64 }

func openBeneath(dir int, path string, how openHow) syscall.Errno {
	fd, e := call(sysOpenat2, uintptr(dir), text(path), ptr(&how), 24)
	if e == 0 {
		syscall.Close(int(fd))
	}
	return e
}

func openat2(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	d := open(t, dir, syscall.O_RDONLY, 0)
	defer syscall.Close(d)
	t.Want("create", openBeneath(d, "f", openHow{flags: syscall.O_CREAT | syscall.O_RDWR, mode: 0o600}), syscall.Errno(0))
	t.Want("mode without create", openBeneath(d, "f", openHow{mode: 0o600}), syscall.EINVAL)
	t.Want("bits outside the mode", openBeneath(d, "g", openHow{flags: syscall.O_CREAT, mode: 1 << 20}), syscall.EINVAL)
	t.Want("unknown flag", openBeneath(d, "f", openHow{flags: 1 << 40}), syscall.EINVAL)
	t.Want("unknown resolve", openBeneath(d, "f", openHow{resolve: 1 << 20}), syscall.EINVAL)
	how := openHow{}
	_, e := call(sysOpenat2, uintptr(d), text("f"), ptr(&how), 8)
	t.Want("short struct", e, syscall.EINVAL)
	long := [4]uint64{}
	fd, e := call(sysOpenat2, uintptr(d), text("f"), ptr(&long), 32)
	t.Want("longer struct", e, syscall.Errno(0))
	syscall.Close(int(fd))
	long[3] = 1
	_, e = call(sysOpenat2, uintptr(d), text("f"), ptr(&long), 32)
	t.Want("longer struct, not zero", e, syscall.E2BIG)
}

func openat2Resolve(t *T) {
	const noXdev, noMagic, noLinks, beneath, inRoot = 1, 2, 4, 8, 16
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	t.Must("mkdir", os.MkdirAll(dir+"/root/sub", 0o700))
	write(t, dir+"/root/f", "inside")
	write(t, dir+"/out", "outside")
	for name, target := range map[string]string{"l": "f", "up": "../out", "abs": "/f", "sub/back": "../f", "sub/deep": "../../out"} {
		t.Must("symlink", os.Symlink(target, dir+"/root/"+name))
	}
	d := open(t, dir+"/root", syscall.O_RDONLY, 0)
	defer syscall.Close(d)
	for _, c := range []struct {
		path    string
		resolve uint64
		want    syscall.Errno
	}{
		{"f", beneath, 0}, {"l", beneath, 0}, {"sub/../f", beneath, 0}, {"sub/back", beneath, 0},
		{"../out", beneath, syscall.EXDEV}, {"up", beneath, syscall.EXDEV}, {"abs", beneath, syscall.EXDEV},
		{"sub/deep", beneath, syscall.EXDEV}, {dir + "/root/f", beneath, syscall.EXDEV}, {"sub/..", beneath, 0},
		{"..", beneath, syscall.EXDEV}, {"no", beneath, syscall.ENOENT},
		{"abs", inRoot, 0}, {"/f", inRoot, 0}, {"../f", inRoot, 0}, {"../../../f", inRoot, 0},
		{"up", inRoot, syscall.ENOENT}, {"sub/deep", inRoot, syscall.ENOENT},
		{"f", noLinks, 0}, {"l", noLinks, syscall.ELOOP}, {"sub/back", noLinks, syscall.ELOOP},
		{"/proc/self/fd/" + itoa(d), noMagic, syscall.ELOOP}, {"/proc/self/fd/" + itoa(d), 0, 0},
		{"l", noMagic, 0}, {"f", noXdev, 0}, {"/proc/version", noXdev, syscall.EXDEV},
	} {
		if e := openBeneath(d, c.path, openHow{resolve: c.resolve}); e != c.want {
			t.Errorf("%s with %#x: %v, want %v", strings.TrimPrefix(c.path, dir), c.resolve, e, c.want)
		}
	}
}
