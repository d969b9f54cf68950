package main

import (
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Attributes of files: mode, owner, times, what stat and statx say, extended attributes.
var attributeChecks = []check{
	{"times-are-set", timesAreSet},
	{"times-move", timesMove},
	{"access-time", accessTime},
	{"statx", statxFields},
	{"links-and-numbers", linksAndNumbers},
	{"change-mode", changeMode},
	{"change-owner", changeOwner},
	{"access-of-root", accessOfRoot},
	{"umask", umask},
	{"group-of-directory", groupOfDirectory},
	{"extended-attributes", extendedAttributes},
	{"extended-attribute-errors", extendedAttributeErrors},
	{"statfs", statfs},
}

const (
	utimeNow  = 1<<30 - 1
	utimeOmit = 1<<30 - 2
)

func utimensat(dir uintptr, path uintptr, ts *[2]syscall.Timespec, flags uintptr) syscall.Errno {
	var p uintptr
	if ts != nil {
		p = ptr(ts)
	}
	_, e := call(syscall.SYS_UTIMENSAT, dir, path, p, flags)
	return e
}

func timesAreSet(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	name := dir + "/f"
	write(t, name, "")
	set := [2]syscall.Timespec{{Sec: 1000000007, Nsec: 123456789}, {Sec: 1000000009, Nsec: 987654321}}
	t.Want("set", utimensat(atFdcwd, text(name), &set, 0), syscall.Errno(0))
	st := stat(t, name)
	t.Want("access time", st.Atim, set[0])
	t.Want("modification time", st.Mtim, set[1])
	t.Want("omit and now", utimensat(atFdcwd, text(name), &[2]syscall.Timespec{{Nsec: utimeOmit}, {Nsec: utimeNow}}, 0), syscall.Errno(0))
	st = stat(t, name)
	t.Want("omitted", st.Atim, set[0])
	if d := time.Since(time.Unix(st.Mtim.Unix())); d < -time.Second || d > time.Minute {
		t.Errorf("now is %v ago", d)
	}
	fd := open(t, name, syscall.O_RDONLY, 0)
	t.Want("by descriptor", utimensat(uintptr(fd), 0, &set, 0), syscall.Errno(0))
	syscall.Close(fd)
	st = stat(t, name)
	t.Want("modification time", st.Mtim, set[1])
	before := stat(t, name).Ctim
	t.Want("both omitted", utimensat(atFdcwd, text(name), &[2]syscall.Timespec{{Nsec: utimeOmit}, {Nsec: utimeOmit}}, 0), syscall.Errno(0))
	t.Want("change time after nothing", stat(t, name).Ctim, before)
	t.Want("bad nanoseconds", utimensat(atFdcwd, text(name), &[2]syscall.Timespec{{Nsec: 1e9}, {}}, 0), syscall.EINVAL)
	t.Want("negative nanoseconds", utimensat(atFdcwd, text(name), &[2]syscall.Timespec{{Nsec: -1}, {}}, 0), syscall.EINVAL)
	t.Want("unknown flag", utimensat(atFdcwd, text(name), &set, 1<<20), syscall.EINVAL)
	t.Want("no file", utimensat(atFdcwd, text(dir+"/no"), &set, 0), syscall.ENOENT)
	t.Must("symlink", os.Symlink("f", dir+"/l"))
	old := [2]syscall.Timespec{{Sec: 5}, {Sec: 6}}
	t.Want("of the link", utimensat(atFdcwd, text(dir+"/l"), &old, atNoSym), syscall.Errno(0))
	t.Want("of the link", stat(t, dir+"/l").Mtim, old[1])
	t.Want("not of the file", stat(t, name).Mtim, set[1])
}

// timesMove: each operation sets the times it should and leaves the others.
func timesMove(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	name := dir + "/f"
	write(t, name, "12345")
	fd := open(t, name, syscall.O_RDWR, 0)
	defer syscall.Close(fd)
	for _, c := range []struct {
		what         string
		do           func() error
		mtime, ctime bool // of the file
		dirTime      bool // of the directory
	}{
		{"write", func() error { _, err := syscall.Write(fd, []byte("x")); return err }, true, true, false},
		{"empty write", func() error { _, err := syscall.Write(fd, nil); return err }, false, false, false},
		{"ftruncate", func() error { return syscall.Ftruncate(fd, 1) }, true, true, false},
		{"fallocate", func() error {
			if e := fallocate(fd, 0, 0, 100); e != 0 {
				return e
			}
			return nil
		}, true, true, false},
		{"chmod", func() error { return os.Chmod(name, 0o640) }, false, true, false},
		{"chown", func() error { return os.Chown(name, 0, 0) }, false, true, false},
		{"link", func() error { return os.Link(name, dir+"/g") }, false, true, true},
		{"unlink", func() error { return os.Remove(dir + "/g") }, false, true, true},
		{"rename", func() error {
			if err := os.Rename(name, dir+"/h"); err != nil {
				return err
			}
			return os.Rename(dir+"/h", name)
		}, false, true, true},
		{"mkdir", func() error { return os.Mkdir(dir+"/d", 0o700) }, false, false, true},
		{"rmdir", func() error { return os.Remove(dir + "/d") }, false, false, true},
		{"open with O_TRUNC", func() error { return os.WriteFile(name, nil, 0o600) }, true, true, false},
		{"nothing", func() error { return nil }, false, false, false},
	} {
		f, d := stat(t, name), stat(t, dir)
		time.Sleep(20 * time.Millisecond)
		t.Must(c.what, c.do())
		f2, d2 := stat(t, name), stat(t, dir)
		t.Want("mtime moved by "+c.what, f.Mtim != f2.Mtim, c.mtime)
		t.Want("ctime moved by "+c.what, f.Ctim != f2.Ctim, c.ctime)
		t.Want("the directory's mtime moved by "+c.what, d.Mtim != d2.Mtim, c.dirTime)
		t.Want("the directory's ctime moved by "+c.what, d.Ctim != d2.Ctim, c.dirTime)
	}
}

// accessTime: read sets it when it is not newer than the others (relatime), O_NOATIME never does.
func accessTime(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	name := dir + "/f"
	write(t, name, "12345")
	old := [2]syscall.Timespec{{Sec: 1000}, {Sec: 2000}}
	read := func(flags int) bool {
		utimensat(atFdcwd, text(name), &old, 0)
		fd := open(t, name, flags, 0)
		defer syscall.Close(fd)
		syscall.Read(fd, make([]byte, 5))
		return stat(t, name).Atim != old[0]
	}
	t.Want("read moves it", read(syscall.O_RDONLY), true)
	t.Want("read with O_NOATIME moves it", read(syscall.O_RDONLY|syscall.O_NOATIME), false)
	before := stat(t, name)
	time.Sleep(20 * time.Millisecond)
	fd := open(t, name, syscall.O_RDONLY, 0)
	defer syscall.Close(fd)
	syscall.Read(fd, make([]byte, 5))
	first := stat(t, name).Atim
	t.Want("moved once", first != before.Atim, true)
	time.Sleep(20 * time.Millisecond)
	syscall.Pread(fd, make([]byte, 5), 0)
	t.Want("the second read leaves it", stat(t, name).Atim, first)
}

type statxT struct {
	mask, blksize        uint32
	attributes           uint64
	nlink, uid, gid      uint32
	mode, _              uint16
	ino, size, blocks    uint64
	attributesMask       uint64
	atime, btime         [2]int64
	ctime, mtime         [2]int64
	rdevMajor, rdevMinor uint32
	devMajor, devMinor   uint32
	mntID                uint64
	dioMem, dioOffset    uint32
	_                    [12]uint64
}

func statx(dir uintptr, path string, flags, mask uintptr, out *statxT) syscall.Errno {
	_, e := call(sysStatx, dir, text(path), flags, mask, ptr(out))
	return e
}

func statxFields(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "12345")
	var s statxT
	t.Want("size of the struct", unsafe.Sizeof(s), uintptr(256))
	t.Want("statx", statx(atFdcwd, dir+"/f", 0, 0xfff, &s), syscall.Errno(0))
	st := stat(t, dir+"/f")
	t.Want("mask", s.mask&0xfff, uint32(0xfff))
	t.Want("size", s.size, uint64(5))
	t.Want("inode", s.ino, st.Ino)
	t.Want("mode", uint32(s.mode), st.Mode)
	t.Want("links", uint64(s.nlink), st.Nlink)
	t.Want("device", uint64(s.devMajor)<<8|uint64(s.devMinor), st.Dev)
	t.Want("mtime", s.mtime[0], st.Mtim.Sec)
	t.Want("mtime ns", s.mtime[1]&0xffffffff, st.Mtim.Nsec)
	t.Want("birth is not after change", s.btime[0] <= s.ctime[0], true)
	born := s.btime
	t.Must("chmod", os.Chmod(dir+"/f", 0o644))
	statx(atFdcwd, dir+"/f", 0, 0xfff, &s)
	t.Want("birth stays", s.btime, born)
	fd := open(t, dir+"/f", syscall.O_RDONLY, 0)
	defer syscall.Close(fd)
	t.Want("by descriptor", statx(uintptr(fd), "", atEmpty, 0xfff, &s), syscall.Errno(0))
	t.Want("inode", s.ino, st.Ino)
	t.Want("empty path", statx(uintptr(fd), "", 0, 0xfff, &s), syscall.ENOENT)
	t.Want("reserved mask", statx(atFdcwd, dir, 0, 1<<31, &s), syscall.EINVAL)
	t.Want("unknown flag", statx(atFdcwd, dir, 0x80000, 0xfff, &s), syscall.EINVAL)
	t.Want("no file", statx(atFdcwd, dir+"/no", 0, 0xfff, &s), syscall.ENOENT)
	r, w := pipe(t, 0)
	t.Want("pipe", statx(uintptr(r), "", atEmpty, 0xfff, &s), syscall.Errno(0))
	t.Want("mode of a pipe", s.mode, uint16(syscall.S_IFIFO|0o600))
	syscall.Close(r)
	syscall.Close(w)
}

func linksAndNumbers(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	links := func(name string) uint64 { return stat(t, dir+name).Nlink }
	write(t, dir+"/f", "")
	t.Want("links of a file", links("/f"), uint64(1))
	t.Must("link", os.Link(dir+"/f", dir+"/g"))
	t.Want("links of two names", links("/f"), uint64(2))
	t.Want("same inode", stat(t, dir+"/f").Ino, stat(t, dir+"/g").Ino)
	t.Must("remove", os.Remove(dir+"/f"))
	t.Want("links of what is left", links("/g"), uint64(1))
	before := links("")
	t.Must("mkdir", os.Mkdir(dir+"/d", 0o700))
	t.Want("links of a directory", links("/d"), uint64(2))
	t.Want("links of its parent", links(""), before+1)
	t.Must("mkdir", os.Mkdir(dir+"/d/e", 0o700))
	t.Must("rename", os.Rename(dir+"/d/e", dir+"/e"))
	t.Want("after the move", links("/d"), uint64(2))
	t.Want("after the move", links(""), before+2)
	t.Must("remove", os.Remove(dir+"/e"))
	t.Want("after rmdir", links(""), before+1)
	seen := map[uint64]bool{}
	for i := 0; i < 50; i++ {
		name := dir + "/n" + itoa(i)
		write(t, name, "")
		seen[stat(t, name).Ino] = true
	}
	t.Want("different inodes", len(seen), 50)
}

func changeMode(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "")
	t.Must("chmod", syscall.Chmod(dir+"/f", 0o7751))
	t.Want("mode", stat(t, dir+"/f").Mode, uint32(syscall.S_IFREG|0o7751))
	t.Must("symlink", os.Symlink("f", dir+"/l"))
	t.Must("chmod through a link", syscall.Chmod(dir+"/l", 0o600))
	t.Want("mode", stat(t, dir+"/f").Mode, uint32(syscall.S_IFREG|0o600))
	_, e := call(sysFchmodat2, atFdcwd, text(dir+"/l"), 0o600, atNoSym)
	t.Want("of a link", e, syscall.EOPNOTSUPP)
	_, e = call(sysFchmodat2, atFdcwd, text(dir+"/f"), 0o600, 1)
	t.Want("unknown flag", e, syscall.EINVAL)
	fd := open(t, dir+"/f", syscall.O_RDONLY, 0)
	t.Must("fchmod", syscall.Fchmod(fd, 0o644))
	_, e = call(sysFchmodat2, uintptr(fd), text(""), 0o640, atEmpty)
	t.Want("of the descriptor", e, syscall.Errno(0))
	syscall.Close(fd)
	t.Want("mode", stat(t, dir+"/f").Mode, uint32(syscall.S_IFREG|0o640))
}

func changeOwner(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "")
	owner := func(name string) [2]uint32 { st := stat(t, dir+name); return [2]uint32{st.Uid, st.Gid} }
	t.Must("chown", syscall.Chown(dir+"/f", 1000, 1001))
	t.Want("owner", owner("/f"), [2]uint32{1000, 1001})
	t.Must("chown of the user", syscall.Chown(dir+"/f", 1002, -1))
	t.Must("chown of the group", syscall.Chown(dir+"/f", -1, 1003))
	t.Want("owner", owner("/f"), [2]uint32{1002, 1003})
	t.Must("symlink", os.Symlink("f", dir+"/l"))
	t.Must("lchown", syscall.Lchown(dir+"/l", 5, 6))
	t.Want("owner of the link", owner("/l"), [2]uint32{5, 6})
	t.Want("owner of the file", owner("/f"), [2]uint32{1002, 1003})
	t.Must("chmod", syscall.Chmod(dir+"/f", 0o6755))
	t.Must("chown", syscall.Chown(dir+"/f", 7, 7))
	t.Want("set-user bits after chown", stat(t, dir+"/f").Mode, uint32(syscall.S_IFREG|0o755))
	t.Must("chmod", syscall.Chmod(dir+"/f", 0o2644))
	t.Must("chown", syscall.Chown(dir+"/f", 8, 8))
	t.Want("a set-group bit without execution stays", stat(t, dir+"/f").Mode, uint32(syscall.S_IFREG|0o2644))
}

func accessOfRoot(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "")
	t.Must("chmod", os.Chmod(dir+"/f", 0))
	t.Must("symlink", os.Symlink("no", dir+"/l"))
	for _, c := range []struct {
		name  string
		mode  uintptr
		flags uintptr
		want  syscall.Errno
	}{
		{"/f", 4, 0, 0}, {"/f", 6, 0, 0}, {"/f", 1, 0, syscall.EACCES}, {"/f", 0, 0, 0},
		{"/f", 8, 0, syscall.EINVAL}, {"/f", 0, 1, syscall.EINVAL}, {"/no", 0, 0, syscall.ENOENT},
		{"/l", 0, 0, syscall.ENOENT}, {"/l", 0, atNoSym, 0}, {"", 7, 0x200, 0}, {"/f/", 0, 0, syscall.ENOTDIR},
	} {
		if _, e := call(sysFaccessat2, atFdcwd, text(dir+c.name), c.mode, c.flags); e != c.want {
			t.Errorf("faccessat2(%q, %d, %#x): %v, want %v", c.name, c.mode, c.flags, e, c.want)
		}
	}
	t.Must("chmod", os.Chmod(dir+"/f", 0o010))
	_, e := call(syscall.SYS_ACCESS, text(dir+"/f"), 1)
	t.Want("executable by one class", e, syscall.Errno(0))
}

func umask(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	old := syscall.Umask(0o027)
	t.Want("set-user bit in the mask", syscall.Umask(0o7027), 0o027)
	t.Want("is cut off", syscall.Umask(0o027), 0o027)
	syscall.Close(open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o4666))
	t.Must("mkdir", syscall.Mkdir(dir+"/d", 0o777))
	t.Must("mkfifo", syscall.Mkfifo(dir+"/p", 0o666))
	t.Must("symlink", os.Symlink("f", dir+"/l"))
	tmp := open(t, dir, oTmpfile|syscall.O_RDWR, 0o666)
	t.Want("mode without name", fstat(t, tmp).Mode&0o7777, uint32(0o640))
	syscall.Close(tmp)
	syscall.Umask(old)
	for name, want := range map[string]uint32{"/f": 0o4640, "/d": 0o750, "/p": 0o640, "/l": 0o777} {
		t.Want("mode of "+name, stat(t, dir+name).Mode&0o7777, want)
	}
}

func groupOfDirectory(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	t.Must("chown", syscall.Chown(dir, 0, 1234))
	t.Must("chmod", syscall.Chmod(dir, 0o2755))
	write(t, dir+"/f", "")
	t.Must("mkdir", os.Mkdir(dir+"/d", 0o755))
	t.Want("group of a file", stat(t, dir+"/f").Gid, uint32(1234))
	t.Want("group of a directory", stat(t, dir+"/d").Gid, uint32(1234))
	t.Want("mode of a directory", stat(t, dir+"/d").Mode&0o7777, uint32(0o2755))
	t.Want("mode of a file", stat(t, dir+"/f").Mode&0o7777, uint32(0o600))
}

func setxattr(path, name, value string, flags uintptr) syscall.Errno {
	b := append([]byte(value), 0)
	_, e := call(syscall.SYS_SETXATTR, text(path), text(name), ptr(&b[0]), uintptr(len(value)), flags)
	return e
}

func getxattr(path, name string) (string, syscall.Errno) {
	b := make([]byte, 1000)
	n, e := call(syscall.SYS_GETXATTR, text(path), text(name), ptr(&b[0]), uintptr(len(b)))
	if e != 0 {
		return "", e
	}
	return string(b[:n]), 0
}

func extendedAttributes(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	name := dir + "/f"
	write(t, name, "")
	t.Want("set", setxattr(name, "user.one", "1", 0), syscall.Errno(0))
	t.Want("set", setxattr(name, "user.two", "", 0), syscall.Errno(0))
	t.Want("of a directory", setxattr(dir, "user.d", "x", 0), syscall.Errno(0))
	v, e := getxattr(name, "user.one")
	t.Want("get", v, "1")
	t.Want("get", e, syscall.Errno(0))
	v, e = getxattr(name, "user.two")
	t.Want("get of an empty one", v, "")
	t.Want("get of an empty one", e, syscall.Errno(0))
	t.Want("replace", setxattr(name, "user.one", "longer", 2), syscall.Errno(0))
	b := make([]byte, 100)
	n, _ := call(syscall.SYS_LISTXATTR, text(name), ptr(&b[0]), 100)
	if n > 100 {
		t.Fatalf("listxattr: %d", int(n))
	}
	names := strings.Split(strings.TrimSuffix(string(b[:n]), "\x00"), "\x00")
	found := map[string]bool{}
	for _, n := range names {
		found[n] = true
	}
	t.Want("listed", found["user.one"] && found["user.two"], true)
	t.Must("rename", os.Rename(name, dir+"/g"))
	fd := open(t, dir+"/g", syscall.O_RDONLY, 0)
	defer syscall.Close(fd)
	n, e = call(syscall.SYS_FGETXATTR, uintptr(fd), text("user.one"), ptr(&b[0]), 100)
	t.Want("by descriptor", e, syscall.Errno(0))
	t.Want("by descriptor, after rename", string(b[:n%100]), "longer")
	_, e = call(syscall.SYS_FREMOVEXATTR, uintptr(fd), text("user.one"))
	t.Want("remove", e, syscall.Errno(0))
	_, e = getxattr(dir+"/g", "user.one")
	t.Want("get of a removed one", e, syscall.ENODATA)
	n, e = call(syscall.SYS_FLISTXATTR, uintptr(fd), 0, 0)
	t.Want("list's size", e == 0 && n >= 9, true)
}

func extendedAttributeErrors(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	name := dir + "/f"
	write(t, name, "")
	t.Want("replace nothing", setxattr(name, "user.a", "1", 2), syscall.ENODATA)
	t.Want("create", setxattr(name, "user.a", "123", 1), syscall.Errno(0))
	t.Want("create again", setxattr(name, "user.a", "1", 1), syscall.EEXIST)
	t.Want("unknown flag", setxattr(name, "user.a", "1", 8), syscall.EINVAL)
	t.Want("no prefix", setxattr(name, "plain", "1", 0), syscall.EOPNOTSUPP)
	t.Want("no name", setxattr(name, "", "1", 0), syscall.ERANGE)
	t.Want("prefix only", setxattr(name, "user.", "1", 0), syscall.EINVAL)
	t.Want("long name", setxattr(name, "user."+strings.Repeat("n", 251), "1", 0), syscall.ERANGE)
	_, e := call(syscall.SYS_SETXATTR, text(name), text("user.b"), text("1"), 1<<17, 0)
	t.Want("long value", e, syscall.E2BIG)
	b := make([]byte, 2)
	_, e = call(syscall.SYS_GETXATTR, text(name), text("user.a"), ptr(&b[0]), 2)
	t.Want("short buffer", e, syscall.ERANGE)
	n, e := call(syscall.SYS_GETXATTR, text(name), text("user.a"), 0, 0)
	t.Want("size", n, uintptr(3))
	_, e = call(syscall.SYS_LISTXATTR, text(name), ptr(&b[0]), 2)
	t.Want("short list", e, syscall.ERANGE)
	_, e = getxattr(dir+"/no", "user.a")
	t.Want("no file", e, syscall.ENOENT)
	_, e = getxattr(name, "user.no")
	t.Want("no attribute", e, syscall.ENODATA)
	_, e = call(syscall.SYS_REMOVEXATTR, text(name), text("user.no"))
	t.Want("remove nothing", e, syscall.ENODATA)
	t.Must("symlink", os.Symlink("f", dir+"/l"))
	_, e = call(syscall.SYS_LSETXATTR, text(dir+"/l"), text("user.a"), text("1"), 1, 0)
	t.Want("of a link", e, syscall.EPERM)
	v, _ := getxattr(dir+"/l", "user.a")
	t.Want("through a link", v, "123")
	t.Must("mkfifo", syscall.Mkfifo(dir+"/p", 0o600))
	t.Want("of a pipe", setxattr(dir+"/p", "user.a", "1", 0), syscall.EPERM)
	fd := open(t, name, oPath, 0)
	_, e = call(syscall.SYS_FGETXATTR, uintptr(fd), text("user.a"), ptr(&b[0]), 2)
	t.Want("O_PATH", e, syscall.EBADF)
	syscall.Close(fd)
}

func statfs(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	var s, p syscall.Statfs_t
	t.Must("statfs", syscall.Statfs(dir, &s))
	t.Want("name length", s.Namelen, int64(255))
	t.Want("blocks", s.Blocks >= s.Bfree && s.Bfree >= s.Bavail && s.Bsize > 0, true)
	t.Want("files", s.Files >= s.Ffree, true)
	t.Must("statfs of /proc", syscall.Statfs("/proc", &p))
	t.Want("type of /proc", p.Type, int64(0x9fa0))
	t.Want("blocks of /proc", p.Blocks, uint64(0))
	t.Want("no file", errnoOf(syscall.Statfs(dir+"/no", &s)), syscall.ENOENT)
	fd := open(t, dir, oPath, 0)
	t.Must("fstatfs of O_PATH", syscall.Fstatfs(fd, &s))
	syscall.Close(fd)
	r, w := pipe(t, 0)
	t.Must("fstatfs of a pipe", syscall.Fstatfs(r, &s))
	t.Want("type of a pipe", s.Type, int64(0x50495045))
	syscall.Close(r)
	syscall.Close(w)
}
