package main

import (
	"os"
	"syscall"
)

// Permissions: what bits, owners and sticky directories allow those who are not the super-user.
var permissionChecks = []check{
	{"bits-by-class", asRoot(bitsByClass)},
	{"bits-of-directories", asRoot(bitsOfDirectories)},
	{"sticky-directory", asRoot(stickyDirectory)},
	{"owner-only", asRoot(ownerOnly)},
	{"chown-by-owner", asRoot(chownByOwner)},
	{"access-asks-for-the-real-user", asRoot(accessAsksForTheRealUser)},
	{"set-user-bits-go", asRoot(setUserBitsGo)},
	{"new-files-belong-to-the-user", asRoot(newFilesBelongToTheUser)},
	{"rename-needs-both-directories", asRoot(renameNeedsBothDirectories)},
	{"capability-for-search", asRoot(capabilityForSearch)},
	{"extended-attributes-by-bits", asRoot(extendedAttributesByBits)},
}

// become makes this thread another user, for ever.
func become(t *T, uid, gid uintptr, groups ...uint32) {
	g := append(groups, 0)
	_, e := raw(syscall.SYS_SETGROUPS, uintptr(len(groups)), ptr(&g[0]))
	t.Want("setgroups", e, syscall.Errno(0))
	_, e = raw(syscall.SYS_SETRESGID, gid, gid, gid)
	t.Want("setresgid", e, syscall.Errno(0))
	_, e = raw(syscall.SYS_SETRESUID, uid, uid, uid)
	t.Want("setresuid", e, syscall.Errno(0))
}

// shared is a new directory that everybody may search and, in its sub, write.
func shared(t *T) string {
	dir := tempDir(t)
	t.Must("chmod", os.Chmod(dir, 0o755))
	t.Must("mkdir", os.Mkdir(dir+"/sub", 0o700))
	t.Must("chmod", os.Chmod(dir+"/sub", 0o777))
	return dir
}

// cleared removes what a test made: by another thread, which is still the super-user.
func cleared(dir string) {
	done := make(chan bool)
	go func() { os.RemoveAll(dir); close(done) }()
	<-done
}

func owned(t *T, name string, mode os.FileMode, uid, gid int) {
	write(t, name, "text")
	t.Must("chown", os.Chown(name, uid, gid))
	t.Must("chmod", syscall.Chmod(name, uint32(mode)))
}

func bitsByClass(t *T) {
	dir := shared(t)
	defer cleared(dir)
	owned(t, dir+"/mine", 0o070, 1000, 500)   // the owner's bits count, not the group's
	owned(t, dir+"/group", 0o307, 2000, 1000) // 0: neither the owner's nor those of others
	owned(t, dir+"/extra", 0o020, 2000, 77)
	owned(t, dir+"/other", 0o004, 2000, 2000)
	become(t, 1000, 1000, 77)
	for _, c := range []struct {
		name  string
		flags int
		want  syscall.Errno
	}{
		{"/mine", syscall.O_RDONLY, syscall.EACCES}, {"/mine", syscall.O_WRONLY, syscall.EACCES},
		{"/group", syscall.O_RDONLY, syscall.EACCES}, {"/group", syscall.O_WRONLY, syscall.EACCES},
		{"/extra", syscall.O_RDONLY, syscall.EACCES}, {"/extra", syscall.O_WRONLY, 0},
		{"/other", syscall.O_RDONLY, 0}, {"/other", syscall.O_RDWR, syscall.EACCES},
		{"/other", syscall.O_RDONLY | syscall.O_TRUNC, syscall.EACCES}, {"/mine", oPath, 0},
		{"/other", syscall.O_CREAT | syscall.O_RDONLY, 0}, {"/new", syscall.O_CREAT | syscall.O_RDWR, syscall.EACCES},
		{"/sub/new", syscall.O_CREAT | syscall.O_RDWR, 0}, {"/other", syscall.O_NOATIME, syscall.EPERM},
	} {
		if e := openError(dir+c.name, c.flags); e != c.want {
			t.Errorf("open %s with %#x: %v, want %v", c.name, c.flags, e, c.want)
		}
	}
	t.Want("truncate", errnoOf(os.Truncate(dir+"/other", 0)), syscall.EACCES)
	t.Want("contents", contents(t, dir+"/other"), "text")
}

func bitsOfDirectories(t *T) {
	dir := shared(t)
	defer cleared(dir)
	for name, mode := range map[string]uint32{"/search": 0o711, "/list": 0o744, "/write": 0o733} {
		t.Must("mkdir", os.Mkdir(dir+name, 0o700))
		owned(t, dir+name+"/f", 0o644, 0, 0)
		t.Must("chmod", syscall.Chmod(dir+name, mode))
	}
	become(t, 1000, 1000)
	t.Want("search only: file", openError(dir+"/search/f", 0), syscall.Errno(0))
	t.Want("search only: list", openError(dir+"/search", syscall.O_DIRECTORY), syscall.EACCES)
	t.Want("search only: create", openError(dir+"/search/g", syscall.O_CREAT), syscall.EACCES)
	t.Want("search only: unlink", errnoOf(syscall.Unlink(dir+"/search/f")), syscall.EACCES)
	t.Want("list only: file", openError(dir+"/list/f", 0), syscall.EACCES)
	t.Want("list only: a name that is not there", openError(dir+"/list/no", 0), syscall.EACCES)
	t.Want("list only: list", openError(dir+"/list", syscall.O_DIRECTORY), syscall.Errno(0))
	t.Want("list only: chdir", errnoOf(syscall.Chdir(dir+"/list")), syscall.EACCES)
	t.Want("list only: .", openError(dir+"/list/.", 0), syscall.EACCES)
	t.Want("write and search: create", openError(dir+"/write/g", syscall.O_CREAT|syscall.O_RDWR), syscall.Errno(0))
	t.Want("write and search: unlink of another's file", errnoOf(syscall.Unlink(dir+"/write/f")), syscall.Errno(0))
	t.Want("mkdir", errnoOf(syscall.Mkdir(dir+"/d", 0o700)), syscall.EACCES)
	t.Want("mkdir of what is there", errnoOf(syscall.Mkdir(dir+"/sub", 0o700)), syscall.EEXIST)
	t.Want("symlink", errnoOf(syscall.Symlink("x", dir+"/l")), syscall.EACCES)
	t.Want("mkfifo", errnoOf(syscall.Mkfifo(dir+"/p", 0o600)), syscall.EACCES)
	t.Want("O_TMPFILE", openError(dir, oTmpfile|syscall.O_RDWR), syscall.EACCES)
}

func stickyDirectory(t *T) {
	dir := shared(t)
	defer cleared(dir)
	t.Must("chmod", syscall.Chmod(dir+"/sub", 0o1777))
	owned(t, dir+"/sub/theirs", 0o666, 2000, 2000)
	owned(t, dir+"/sub/mine", 0o666, 1000, 1000)
	become(t, 1000, 1000)
	t.Want("unlink of another's", errnoOf(syscall.Unlink(dir+"/sub/theirs")), syscall.EPERM)
	t.Want("rename of another's", errnoOf(syscall.Rename(dir+"/sub/theirs", dir+"/sub/x")), syscall.EPERM)
	t.Want("rename onto another's", errnoOf(syscall.Rename(dir+"/sub/mine", dir+"/sub/theirs")), syscall.EPERM)
	t.Want("rename of mine", errnoOf(syscall.Rename(dir+"/sub/mine", dir+"/sub/x")), syscall.Errno(0))
	t.Want("unlink of mine", errnoOf(syscall.Unlink(dir+"/sub/x")), syscall.Errno(0))
}

func ownerOnly(t *T) {
	dir := shared(t)
	defer cleared(dir)
	owned(t, dir+"/f", 0o666, 2000, 2000)
	owned(t, dir+"/r", 0o644, 2000, 2000)
	owned(t, dir+"/mine", 0o600, 1000, 2000)
	become(t, 1000, 1000)
	set := [2]syscall.Timespec{{Sec: 1}, {Sec: 2}}
	t.Want("chmod", errnoOf(syscall.Chmod(dir+"/f", 0o600)), syscall.EPERM)
	t.Want("given times", utimensat(atFdcwd, text(dir+"/f"), &set, 0), syscall.EPERM)
	t.Want("now, writable", utimensat(atFdcwd, text(dir+"/f"), nil, 0), syscall.Errno(0))
	t.Want("now, not writable", utimensat(atFdcwd, text(dir+"/r"), nil, 0), syscall.EACCES)
	t.Want("one omitted", utimensat(atFdcwd, text(dir+"/f"), &[2]syscall.Timespec{{Nsec: utimeNow}, {Nsec: utimeOmit}}, 0), syscall.EPERM)
	t.Want("chmod of mine", errnoOf(syscall.Chmod(dir+"/mine", 0o2755)), syscall.Errno(0))
	t.Want("set-group bit of a group that is not mine", stat(t, dir+"/mine").Mode&0o7777, uint32(0o755))
	t.Want("times of mine", utimensat(atFdcwd, text(dir+"/mine"), &set, 0), syscall.Errno(0))
}

func chownByOwner(t *T) {
	dir := shared(t)
	defer cleared(dir)
	owned(t, dir+"/f", 0o644, 1000, 1000)
	owned(t, dir+"/other", 0o644, 2000, 2000)
	become(t, 1000, 1000, 77)
	t.Want("give away", errnoOf(syscall.Chown(dir+"/f", 2000, -1)), syscall.EPERM)
	t.Want("to itself", errnoOf(syscall.Chown(dir+"/f", 1000, -1)), syscall.Errno(0))
	t.Want("to a group of mine", errnoOf(syscall.Chown(dir+"/f", -1, 77)), syscall.Errno(0))
	t.Want("to another group", errnoOf(syscall.Chown(dir+"/f", -1, 78)), syscall.EPERM)
	t.Want("another's", errnoOf(syscall.Chown(dir+"/other", -1, 77)), syscall.EPERM)
	t.Want("group", stat(t, dir+"/f").Gid, uint32(77))
}

func accessAsksForTheRealUser(t *T) {
	dir := shared(t)
	defer cleared(dir)
	owned(t, dir+"/f", 0o600, 0, 0)
	raw(syscall.SYS_SETGROUPS, 0, 0)
	_, e := raw(syscall.SYS_SETRESUID, 1000, minusOne, minusOne)
	t.Want("setresuid", e, syscall.Errno(0))
	_, e = call(syscall.SYS_ACCESS, text(dir+"/f"), 4)
	t.Want("access", e, syscall.EACCES)
	_, e = call(sysFaccessat2, atFdcwd, text(dir+"/f"), 4, 0x200 /* AT_EACCESS */)
	t.Want("with AT_EACCESS", e, syscall.Errno(0))
	t.Want("open", openError(dir+"/f", 0), syscall.Errno(0))
	raw(syscall.SYS_SETRESUID, 0, minusOne, minusOne)
}

func setUserBitsGo(t *T) {
	dir := shared(t)
	defer cleared(dir)
	owned(t, dir+"/f", 0o6777, 1000, 1000)
	owned(t, dir+"/g", 0o2767, 1000, 1000)
	owned(t, dir+"/root", 0o6777, 1000, 1000)
	fd := open(t, dir+"/root", syscall.O_WRONLY, 0)
	syscall.Write(fd, []byte("x"))
	syscall.Close(fd)
	t.Want("after a write by the super-user", stat(t, dir+"/root").Mode&0o7777, uint32(0o6777))
	become(t, 2000, 2000)
	fd = open(t, dir+"/f", syscall.O_WRONLY, 0)
	syscall.Write(fd, []byte("x"))
	syscall.Close(fd)
	t.Want("after a write", stat(t, dir+"/f").Mode&0o7777, uint32(0o777))
	fd = open(t, dir+"/root", syscall.O_WRONLY, 0)
	t.Must("ftruncate", syscall.Ftruncate(fd, 0))
	syscall.Close(fd)
	t.Want("after a truncation", stat(t, dir+"/root").Mode&0o7777, uint32(0o777))
}

func newFilesBelongToTheUser(t *T) {
	dir := shared(t)
	defer cleared(dir)
	become(t, 1000, 1001)
	owner := func(name string) [2]uint32 { st := stat(t, dir+"/sub"+name); return [2]uint32{st.Uid, st.Gid} }
	write(t, dir+"/sub/f", "")
	t.Must("mkdir", os.Mkdir(dir+"/sub/d", 0o700))
	t.Must("symlink", os.Symlink("x", dir+"/sub/l"))
	t.Must("mkfifo", syscall.Mkfifo(dir+"/sub/p", 0o600))
	for _, name := range []string{"/f", "/d", "/l", "/p"} {
		t.Want("owner of "+name, owner(name), [2]uint32{1000, 1001})
	}
}

func renameNeedsBothDirectories(t *T) {
	dir := shared(t)
	defer cleared(dir)
	t.Must("mkdir", os.Mkdir(dir+"/closed", 0o755))
	owned(t, dir+"/closed/f", 0o666, 1000, 1000)
	owned(t, dir+"/sub/g", 0o666, 1000, 1000)
	t.Must("mkdir", os.Mkdir(dir+"/sub/theirs", 0o755))
	t.Must("mkdir", os.Mkdir(dir+"/sub/to", 0o755))
	t.Must("chmod", os.Chmod(dir+"/sub/to", 0o777))
	become(t, 1000, 1000)
	t.Want("out of a closed one", errnoOf(syscall.Rename(dir+"/closed/f", dir+"/sub/f")), syscall.EACCES)
	t.Want("into a closed one", errnoOf(syscall.Rename(dir+"/sub/g", dir+"/closed/g")), syscall.EACCES)
	t.Want("another's directory to another place", errnoOf(syscall.Rename(dir+"/sub/theirs", dir+"/sub/to/d")), syscall.EACCES)
	t.Want("within the same directory", errnoOf(syscall.Rename(dir+"/sub/theirs", dir+"/sub/d")), syscall.Errno(0))
	t.Want("link into a closed one", errnoOf(syscall.Link(dir+"/sub/g", dir+"/closed/g")), syscall.EACCES)
}

func capabilityForSearch(t *T) {
	dir := shared(t)
	defer cleared(dir)
	t.Must("mkdir", os.Mkdir(dir+"/d", 0o700))
	owned(t, dir+"/d/f", 0o000, 0, 0)
	raw(syscall.SYS_SETFSUID, 1000) // the file capabilities go with it
	t.Want("as a user", openError(dir+"/d/f", 0), syscall.EACCES)
	raw(syscall.SYS_SETFSUID, 0)
	t.Want("as the super-user", openError(dir+"/d/f", syscall.O_RDWR), syscall.Errno(0))
}

func extendedAttributesByBits(t *T) {
	dir := shared(t)
	defer cleared(dir)
	owned(t, dir+"/f", 0o644, 2000, 2000)
	t.Want("set", setxattr(dir+"/f", "user.a", "1", 0), syscall.Errno(0))
	t.Want("trusted", setxattr(dir+"/f", "trusted.a", "1", 0), syscall.Errno(0))
	become(t, 1000, 1000)
	v, e := getxattr(dir+"/f", "user.a")
	t.Want("get", v, "1")
	t.Want("get", e, syscall.Errno(0))
	t.Want("set", setxattr(dir+"/f", "user.a", "2", 0), syscall.EACCES)
	t.Want("set trusted", setxattr(dir+"/f", "trusted.b", "2", 0), syscall.EPERM)
	_, e = getxattr(dir+"/f", "trusted.a")
	t.Want("get trusted", e, syscall.ENODATA)
	b := make([]byte, 100)
	n, _ := call(syscall.SYS_LISTXATTR, text(dir+"/f"), ptr(&b[0]), 100)
	t.Want("list", string(b[:n%100]), "user.a\x00")
}
