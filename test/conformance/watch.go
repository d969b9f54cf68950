package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Watches: what inotify tells.
var watchChecks = []check{
	{"events-of-a-file", eventsOfAFile},
	{"events-in-a-directory", eventsInADirectory},
	{"events-of-opens-and-times", eventsOfOpensAndTimes},
	{"moves-with-cookies", movesWithCookies},
	{"removal-of-the-watched", removalOfTheWatched},
	{"attributes-and-links", attributesAndLinks},
	{"masks", watchMasks},
	{"once", watchOnce},
	{"unlinked-children", unlinkedChildren},
	{"repeated-events-are-one", repeatedEventsAreOne},
	{"overflow", watchOverflow},
	{"reading", watchReading},
	{"errors", watchErrors},
	{"remove", watchRemove},
	{"waits-and-polls", watchWaitsAndPolls},
}

// watcher is an inotify descriptor, whose events are shown as text.
type watcher struct {
	t     *T
	fd    int
	names map[int32]string
}

func newWatcher(t *T) *watcher {
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	t.Must("inotify_init1", err)
	return &watcher{t, fd, map[int32]string{}}
}

func (w *watcher) close() { syscall.Close(w.fd) }

// add watches a path, which events call by name.
func (w *watcher) add(name, path string, mask uint32) int {
	wd, err := syscall.InotifyAddWatch(w.fd, path, mask)
	w.t.Must("inotify_add_watch", err)
	w.names[int32(wd)] = name
	return wd
}

var eventNames = []struct {
	bit  uint32
	name string
}{
	{syscall.IN_ACCESS, "access"}, {syscall.IN_MODIFY, "modify"}, {syscall.IN_ATTRIB, "attrib"},
	{syscall.IN_CLOSE_WRITE, "close-write"}, {syscall.IN_CLOSE_NOWRITE, "close"}, {syscall.IN_OPEN, "open"},
	{syscall.IN_MOVED_FROM, "from"}, {syscall.IN_MOVED_TO, "to"}, {syscall.IN_CREATE, "create"},
	{syscall.IN_DELETE, "delete"}, {syscall.IN_DELETE_SELF, "delete-self"}, {syscall.IN_MOVE_SELF, "move-self"},
	{syscall.IN_Q_OVERFLOW, "overflow"}, {syscall.IN_IGNORED, "ignored"}, {syscall.IN_ISDIR, "dir"}, {syscall.IN_UNMOUNT, "unmount"},
}

// events reads all that are there: "watch:kind[+dir] name", separated by commas. Cookies are
// numbered as they come.
func (w *watcher) events() string {
	var all []string
	cookies := map[uint32]int{}
	b := make([]byte, 65536)
	for {
		n, err := syscall.Read(w.fd, b)
		if err != nil {
			if err != syscall.EAGAIN {
				w.t.Errorf("read: %v", err)
			}
			return strings.Join(all, ", ")
		}
		for rest := b[:n]; len(rest) > 0; {
			e := (*syscall.InotifyEvent)(unsafe.Pointer(&rest[0]))
			var kinds []string
			for _, k := range eventNames {
				if e.Mask&k.bit != 0 {
					kinds = append(kinds, k.name)
				}
			}
			text := w.names[e.Wd] + ":" + strings.Join(kinds, "+")
			if e.Len > 0 {
				text += " " + strings.TrimRight(string(rest[16:16+e.Len]), "\x00")
			}
			if e.Cookie != 0 {
				if cookies[e.Cookie] == 0 {
					cookies[e.Cookie] = len(cookies) + 1
				}
				text += fmt.Sprint(" #", cookies[e.Cookie])
			}
			all = append(all, text)
			rest = rest[16+e.Len:]
		}
	}
}

func (w *watcher) want(what, events string) {
	if got := w.events(); got != events {
		w.t.Errorf("%s: %s; want %s", what, got, events)
	}
}

func eventsOfAFile(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	w := newWatcher(t)
	defer w.close()
	write(t, dir+"/f", "x")
	w.add("f", dir+"/f", syscall.IN_ALL_EVENTS)
	fd := open(t, dir+"/f", syscall.O_RDWR, 0)
	w.want("open", "f:open")
	syscall.Read(fd, make([]byte, 1))
	w.want("read", "f:access")
	syscall.Write(fd, []byte("y"))
	w.want("write", "f:modify")
	syscall.Ftruncate(fd, 0)
	w.want("ftruncate", "f:modify")
	fallocate(fd, 0, 0, 100)
	w.want("fallocate", "f:modify")
	syscall.Read(fd, make([]byte, 1))
	w.events() // a read of nothing may or may not be an access
	syscall.Close(fd)
	w.want("close", "f:close-write")
	contents(t, dir+"/f")
	w.want("read-only", "f:open, f:access, f:close")
	syscall.Close(open(t, dir+"/f", oPath, 0))
	w.want("O_PATH", "")
	os.Truncate(dir+"/f", 5)
	w.want("truncate", "f:modify")
	fd = open(t, dir+"/f", syscall.O_RDWR|syscall.O_TRUNC, 0)
	if got := w.events(); got != "f:modify, f:open" && got != "f:open, f:modify" { // by release of Linux
		t.Errorf("open with O_TRUNC: %s", got)
	}
	syscall.Close(fd)
}

func eventsInADirectory(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	w := newWatcher(t)
	defer w.close()
	w.add("d", dir, syscall.IN_ALL_EVENTS)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	syscall.Write(fd, []byte("x"))
	syscall.Close(fd)
	w.want("a new file", "d:create f, d:open f, d:modify f, d:close-write f")
	t.Must("mkdir", os.Mkdir(dir+"/sub", 0o700))
	w.want("mkdir", "d:create+dir sub")
	t.Must("symlink", os.Symlink("x", dir+"/l"))
	t.Must("mkfifo", syscall.Mkfifo(dir+"/p", 0o600))
	w.want("others", "d:create l, d:create p")
	t.Must("chmod", os.Chmod(dir+"/f", 0o644))
	w.want("chmod", "d:attrib f")
	t.Must("chmod", os.Chmod(dir+"/sub", 0o755))
	w.want("chmod of a directory", "d:attrib+dir sub")
	d := open(t, dir, syscall.O_RDONLY, 0)
	list(t, d, 4096)
	syscall.Close(d)
	got := w.events()
	if !strings.HasPrefix(got, "d:open+dir, d:access+dir") || !strings.HasSuffix(got, "d:close+dir") {
		t.Errorf("listing: %s", got)
	}
	t.Must("remove", os.Remove(dir+"/f"))
	t.Must("remove", syscall.Rmdir(dir+"/sub"))
	w.want("removal", "d:delete f, d:delete+dir sub")
	write(t, dir+"/"+strings.Repeat("n", 255), "")
	if got := w.events(); !strings.HasPrefix(got, "d:create "+strings.Repeat("n", 255)) {
		t.Errorf("long name: %s", got)
	}
}

func movesWithCookies(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	t.Must("mkdir", os.MkdirAll(dir+"/a/x", 0o700))
	t.Must("mkdir", os.Mkdir(dir+"/b", 0o700))
	write(t, dir+"/a/f", "")
	write(t, dir+"/b/old", "")
	const mask = syscall.IN_MOVE | syscall.IN_MOVE_SELF | syscall.IN_DELETE_SELF | syscall.IN_CREATE | syscall.IN_DELETE
	w := newWatcher(t)
	defer w.close()
	w.add("a", dir+"/a", mask)
	w.add("b", dir+"/b", mask)
	w.add("f", dir+"/a/f", mask)
	t.Must("rename", os.Rename(dir+"/a/f", dir+"/b/g"))
	w.want("to another directory", "a:from f #1, b:to g #1, f:move-self")
	t.Must("rename", os.Rename(dir+"/a/x", dir+"/a/y"))
	w.want("of a directory", "a:from+dir x #1, a:to+dir y #1")
	w.add("old", dir+"/b/old", mask)
	t.Must("rename", os.Rename(dir+"/b/g", dir+"/b/old"))
	w.want("onto another", "b:from g #1, b:to old #1, f:move-self, old:delete-self, old:ignored")
	t.Must("rename", os.Rename(dir+"/b/old", dir+"/out"))
	w.want("out of what is watched", "b:from old #1, f:move-self")
	t.Must("rename", os.Rename(dir+"/out", dir+"/a/in"))
	w.want("into it", "a:to in #1, f:move-self")
	t.Must("rename", os.Rename(dir+"/a", dir+"/c"))
	w.want("of the watched directory", "a:move-self")
	write(t, dir+"/c/later", "")
	w.want("which is watched still", "a:create later")
	write(t, dir+"/b/k", "")
	w.events()
	if e := renameat2(dir+"/c/in", dir+"/b/k", 2); e != 0 {
		t.Errorf("exchange: %v", e)
	}
	w.want("exchange", "a:from in #1, b:to k #1, f:move-self, b:from k #2, a:to in #2")
}

func removalOfTheWatched(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	t.Must("mkdir", os.Mkdir(dir+"/d", 0o700))
	write(t, dir+"/f", "")
	w := newWatcher(t)
	defer w.close()
	w.add("d", dir+"/d", syscall.IN_ALL_EVENTS)
	w.add("f", dir+"/f", syscall.IN_ALL_EVENTS)
	t.Must("rmdir", syscall.Rmdir(dir+"/d"))
	w.want("rmdir", "d:delete-self, d:ignored")
	fd := open(t, dir+"/f", syscall.O_RDWR, 0)
	w.events()
	t.Must("unlink", syscall.Unlink(dir+"/f"))
	w.want("unlink while it is open", "f:attrib")
	syscall.Write(fd, []byte("x"))
	w.want("a write afterwards", "f:modify")
	syscall.Close(fd)
	w.want("the last close", "f:close-write, f:delete-self, f:ignored")
}

func attributesAndLinks(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "")
	w := newWatcher(t)
	defer w.close()
	w.add("f", dir+"/f", syscall.IN_ATTRIB|syscall.IN_DELETE_SELF)
	t.Must("chmod", os.Chmod(dir+"/f", 0o644))
	t.Want("chmod", w.events(), "f:attrib")
	t.Must("chown", os.Chown(dir+"/f", 1, 1))
	t.Want("chown", w.events(), "f:attrib")
	utimensat(atFdcwd, text(dir+"/f"), nil, 0)
	t.Want("utimensat", w.events(), "f:attrib")
	t.Want("setxattr", setxattr(dir+"/f", "user.a", "1", 0), syscall.Errno(0))
	t.Want("setxattr", w.events(), "f:attrib")
	t.Must("link", os.Link(dir+"/f", dir+"/g"))
	t.Want("link", w.events(), "f:attrib")
	t.Must("unlink", os.Remove(dir+"/f"))
	t.Want("unlink of one name", w.events(), "f:attrib")
	t.Must("unlink", os.Remove(dir+"/g"))
	t.Want("unlink of the last", w.events(), "f:attrib, f:delete-self, f:ignored")
}

func watchMasks(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "")
	t.Must("symlink", os.Symlink("f", dir+"/l"))
	w := newWatcher(t)
	defer w.close()
	first := w.add("f", dir+"/f", syscall.IN_OPEN)
	t.Want("the same watch", w.add("f", dir+"/f", syscall.IN_CLOSE), first)
	contents(t, dir+"/f")
	w.want("the mask is replaced", "f:close")
	w.add("f", dir+"/f", syscall.IN_OPEN|syscall.IN_MASK_ADD)
	contents(t, dir+"/f")
	w.want("the mask grows", "f:open, f:close")
	_, err := syscall.InotifyAddWatch(w.fd, dir+"/f", syscall.IN_OPEN|0x10000000 /* IN_MASK_CREATE */)
	t.Want("IN_MASK_CREATE again", errnoOf(err), syscall.EEXIST)
	t.Want("through a link", w.add("f", dir+"/l", syscall.IN_OPEN), first)
	link := w.add("l", dir+"/l", syscall.IN_ALL_EVENTS|syscall.IN_DONT_FOLLOW)
	t.Want("of the link", link != first, true)
	t.Must("remove", os.Remove(dir+"/l"))
	w.want("removal of the link", "l:attrib, l:delete-self, l:ignored")
	_, err = syscall.InotifyAddWatch(w.fd, dir+"/f", syscall.IN_OPEN|syscall.IN_ONLYDIR)
	t.Want("IN_ONLYDIR", errnoOf(err), syscall.ENOTDIR)
}

func watchOnce(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "")
	w := newWatcher(t)
	defer w.close()
	w.add("f", dir+"/f", syscall.IN_OPEN|syscall.IN_CLOSE|syscall.IN_ONESHOT)
	contents(t, dir+"/f")
	contents(t, dir+"/f")
	w.want("one event", "f:open, f:ignored")
}

func unlinkedChildren(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	plain, excl := newWatcher(t), newWatcher(t)
	defer plain.close()
	defer excl.close()
	plain.add("d", dir, syscall.IN_MODIFY|syscall.IN_DELETE)
	excl.add("d", dir, syscall.IN_MODIFY|syscall.IN_DELETE|0x04000000 /* IN_EXCL_UNLINK */)
	syscall.Write(fd, []byte("x"))
	t.Must("unlink", syscall.Unlink(dir+"/f"))
	syscall.Write(fd, []byte("x"))
	plain.want("events of what has no name any more", "d:modify f, d:delete f, d:modify f")
	excl.want("without them", "d:modify f, d:delete f")
}

func repeatedEventsAreOne(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(fd)
	w := newWatcher(t)
	defer w.close()
	w.add("f", dir+"/f", syscall.IN_MODIFY|syscall.IN_ATTRIB)
	for i := 0; i < 5; i++ {
		syscall.Write(fd, []byte("x"))
	}
	syscall.Fchmod(fd, 0o644)
	syscall.Write(fd, []byte("x"))
	w.want("in a row", "f:modify, f:attrib, f:modify")
}

func watchOverflow(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "")
	fd := open(t, dir+"/f", syscall.O_RDWR, 0)
	defer syscall.Close(fd)
	limit, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	t.Must("limit", err)
	var most int
	fmt.Sscan(string(limit), &most)
	if most < 100 || most > 1<<20 {
		t.Fatalf("max_queued_events is %q", limit)
	}
	w := newWatcher(t)
	defer w.close()
	w.add("f", dir+"/f", syscall.IN_MODIFY|syscall.IN_ACCESS)
	syscall.Write(fd, []byte("xx"))
	for i := 0; i < most/2+10; i++ {
		syscall.Pwrite(fd, []byte("x"), 0)
		syscall.Pread(fd, make([]byte, 1), 0)
	}
	got := strings.Split(w.events(), ", ")
	t.Want("last event", got[len(got)-1], ":overflow")
	t.Want("events", len(got), most+1)
	syscall.Pwrite(fd, []byte("x"), 0)
	w.want("afterwards", "f:modify")
}

func watchReading(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	w := newWatcher(t)
	defer w.close()
	w.add("d", dir, syscall.IN_CREATE)
	write(t, dir+"/short", "")
	write(t, dir+"/a-name-of-some-length", "")
	var left int32
	_, e := call(syscall.SYS_IOCTL, uintptr(w.fd), 0x541b /* FIONREAD */, ptr(&left))
	t.Want("FIONREAD", e == 0 && left == 16+16+16+32, true)
	_, err := syscall.Read(w.fd, make([]byte, 16))
	t.Want("no room for the event", errnoOf(err), syscall.EINVAL)
	n, err := syscall.Read(w.fd, make([]byte, 40))
	t.Want("room for one", n == 32 && err == nil, true)
	w.want("the rest", "d:create a-name-of-some-length")
	_, err = syscall.Write(w.fd, make([]byte, 16))
	t.Want("write", errnoOf(err), syscall.EBADF)
}

func watchErrors(t *T) {
	w := newWatcher(t)
	defer w.close()
	null := open(t, "/dev/null", syscall.O_RDONLY, 0)
	defer syscall.Close(null)
	for _, c := range []struct {
		what, path string
		fd         int
		mask       uint32
		want       syscall.Errno
	}{
		{"no events", "/", w.fd, 0, syscall.EINVAL}, {"no file", "/no-such-file", w.fd, 1, syscall.ENOENT},
		{"not inotify", "/", null, 1, syscall.EINVAL}, {"bad descriptor", "/", -1, 1, syscall.EBADF},
		{"add and create", "/", w.fd, 1 | syscall.IN_MASK_ADD | 0x10000000, syscall.EINVAL},
	} {
		_, err := syscall.InotifyAddWatch(c.fd, c.path, c.mask)
		t.Want(c.what, errnoOf(err), c.want)
	}
	_, err := syscall.InotifyInit1(1)
	t.Want("unknown flag", errnoOf(err), syscall.EINVAL)
	_, err = syscall.InotifyRmWatch(w.fd, 77)
	t.Want("no such watch", errnoOf(err), syscall.EINVAL)
}

func watchRemove(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	w := newWatcher(t)
	defer w.close()
	wd := w.add("d", dir, syscall.IN_CREATE)
	write(t, dir+"/f", "")
	_, err := syscall.InotifyRmWatch(w.fd, uint32(wd))
	t.Must("inotify_rm_watch", err)
	write(t, dir+"/g", "")
	w.want("events", "d:create f, d:ignored")
	next := w.add("e", dir, syscall.IN_CREATE)
	t.Want("numbers are not used again", next != wd, true)
}

func watchWaitsAndPolls(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	t.Must("inotify_init1", err)
	w := &watcher{t, fd, map[int32]string{}}
	defer w.close()
	w.add("d", dir, syscall.IN_CREATE)
	p := []struct {
		fd              int32
		events, revents int16
	}{{fd: int32(fd), events: 1}}
	n, _ := callAgain(syscall.SYS_POLL, ptr(&p[0]), 1, 0)
	t.Want("nothing yet", n, uintptr(0))
	done := soon(func() { os.WriteFile(dir+"/f", nil, 0o600) })
	n, _ = callAgain(syscall.SYS_POLL, ptr(&p[0]), 1, 10000)
	t.Want("poll", n == 1 && p[0].revents == 1, true)
	<-done
	b := make([]byte, 100)
	k, _ := syscall.Read(fd, b)
	t.Want("read", k, 32)
	done = soon(func() { os.WriteFile(dir+"/g", nil, 0o600) })
	begin := time.Now()
	k, _ = syscall.Read(fd, b)
	t.Want("waited for", k == 32 && time.Since(begin) > 30*time.Millisecond, true)
	<-done
}

func eventsOfOpensAndTimes(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "x")
	w := newWatcher(t)
	defer w.close()
	w.add("f", dir+"/f", syscall.IN_ALL_EVENTS)
	fd := open(t, dir+"/f", syscall.O_WRONLY|syscall.O_TRUNC, 0)
	w.want("open and cut", "f:open, f:modify")
	syscall.Close(fd)
	w.want("close", "f:close-write")
	const omit = 0x3ffffffe
	for _, c := range []struct {
		atime, mtime syscall.Timespec
		want         string
	}{
		{syscall.Timespec{Sec: 5}, syscall.Timespec{Nsec: omit}, "f:access"},
		{syscall.Timespec{Nsec: omit}, syscall.Timespec{Sec: 5}, "f:modify"},
		{syscall.Timespec{Sec: 6}, syscall.Timespec{Sec: 6}, "f:attrib"},
		{syscall.Timespec{Nsec: omit}, syscall.Timespec{Nsec: omit}, ""},
	} {
		t.Must("utimensat", utimesAt(dir+"/f", c.atime, c.mtime))
		w.want("times", c.want)
	}
}

func utimesAt(path string, atime, mtime syscall.Timespec) error {
	ts := [2]syscall.Timespec{atime, mtime}
	if _, e := call(syscall.SYS_UTIMENSAT, atFdcwd, text(path), ptr(&ts[0]), 0); e != 0 {
		return e
	}
	return nil
}
