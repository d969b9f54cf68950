package main

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

// Locks on files: flock, record locks of the process (fcntl) and of descriptions (OFD).
var lockChecks = []check{
	{"flock-conflicts", flockConflicts},
	{"flock-belongs-to-the-description", flockBelongsToTheDescription},
	{"flock-converts", flockConverts},
	{"flock-waits", flockWaits},
	{"flock-is-interrupted", flockIsInterrupted},
	{"flock-goes-at-close", flockGoesAtClose},
	{"record-locks-of-one-process", recordLocksOfOneProcess},
	{"record-locks-of-descriptions", recordLocksOfDescriptions},
	{"record-lock-ranges", recordLockRanges},
	{"record-locks-and-descriptions", recordLocksAndDescriptions},
	{"record-locks-wait", recordLocksWait},
	{"record-locks-are-interrupted", recordLocksAreInterrupted},
	{"record-lock-errors", recordLockErrors},
	{"kinds-do-not-meet", kindsDoNotMeet},
}

const (
	ofdGetlk  = 36
	ofdSetlk  = 37
	ofdSetlkw = 38
)

// twice is one new file, opened twice.
func twice(t *T) (dir string, a, b int) {
	dir = tempDir(t)
	a = open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	return dir, a, open(t, dir+"/f", syscall.O_RDWR, 0)
}

func flock(fd, how int) syscall.Errno { return errnoOf(syscall.Flock(fd, how)) }

func flockConflicts(t *T) {
	const sh, ex, nb, un = syscall.LOCK_SH, syscall.LOCK_EX, syscall.LOCK_NB, syscall.LOCK_UN
	dir, a, b := twice(t)
	defer os.RemoveAll(dir)
	for _, c := range []struct {
		first, second int
		want          syscall.Errno
	}{{sh, sh, 0}, {sh, ex, syscall.EWOULDBLOCK}, {ex, sh, syscall.EWOULDBLOCK}, {ex, ex, syscall.EWOULDBLOCK}} {
		t.Want("first", flock(a, c.first), syscall.Errno(0))
		if e := flock(b, c.second|nb); e != c.want {
			t.Errorf("%d after %d: %v, want %v", c.second, c.first, e, c.want)
		}
		t.Want("unlock", flock(a, un), syscall.Errno(0))
		t.Want("unlock", flock(b, un), syscall.Errno(0))
	}
	t.Want("no operation", flock(a, 0), syscall.EINVAL)
	t.Want("bad descriptor", flock(-1, sh), syscall.EBADF)
	ro := open(t, dir+"/f", syscall.O_RDONLY, 0)
	t.Want("exclusive on a read-only one", flock(ro, ex|nb), syscall.Errno(0))
	d := open(t, dir, syscall.O_RDONLY, 0)
	t.Want("of a directory", flock(d, ex|nb), syscall.Errno(0))
	for _, fd := range []int{a, b, ro, d} {
		syscall.Close(fd)
	}
}

func flockBelongsToTheDescription(t *T) {
	dir, a, b := twice(t)
	defer os.RemoveAll(dir)
	defer syscall.Close(b)
	dup, err := syscall.Dup(a)
	t.Must("dup", err)
	flock(a, syscall.LOCK_EX)
	t.Want("again by a duplicate", flock(dup, syscall.LOCK_EX|syscall.LOCK_NB), syscall.Errno(0))
	syscall.Close(a)
	t.Want("one duplicate is left", flock(b, syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
	t.Want("unlock by the duplicate", flock(dup, syscall.LOCK_UN), syscall.Errno(0))
	t.Want("free", flock(b, syscall.LOCK_EX|syscall.LOCK_NB), syscall.Errno(0))
	syscall.Close(dup)
}

func flockConverts(t *T) {
	dir, a, b := twice(t)
	defer os.RemoveAll(dir)
	defer syscall.Close(a)
	defer syscall.Close(b)
	flock(a, syscall.LOCK_EX)
	t.Want("down", flock(a, syscall.LOCK_SH|syscall.LOCK_NB), syscall.Errno(0))
	t.Want("shared by two", flock(b, syscall.LOCK_SH|syscall.LOCK_NB), syscall.Errno(0))
	t.Want("up", flock(a, syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
	flock(b, syscall.LOCK_UN)
	t.Want("up, alone", flock(a, syscall.LOCK_EX|syscall.LOCK_NB), syscall.Errno(0))
}

// soon runs f after a while and returns how long the wait then took in all.
func soon(f func()) chan bool {
	done := make(chan bool)
	go func() {
		time.Sleep(60 * time.Millisecond)
		f()
		close(done)
	}()
	return done
}

func flockWaits(t *T) {
	dir, a, b := twice(t)
	defer os.RemoveAll(dir)
	defer syscall.Close(a)
	defer syscall.Close(b)
	flock(a, syscall.LOCK_EX)
	begin := time.Now()
	done := soon(func() { flock(a, syscall.LOCK_UN) })
	t.Want("waited for", flock(b, syscall.LOCK_EX), syscall.Errno(0))
	t.Want("it waited", time.Since(begin) >= 50*time.Millisecond, true)
	<-done
}

// interrupted runs a call that waits on a thread of its own, sends it a signal whose handler does
// not restart calls, and returns the call's error.
func interrupted(t *T, wait func() syscall.Errno) syscall.Errno {
	var old, act [4]uint64
	const noRestart = ^uint64(0x10000000)
	if _, e := call(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGURG), 0, ptr(&old), 8); e != 0 {
		t.Fatalf("rt_sigaction: %v", e)
	}
	act = old // Go's own handler, but calls are not restarted
	act[1] &= noRestart
	call(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGURG), ptr(&act), 0, 8)
	defer call(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGURG), ptr(&old), 0, 8)
	tid, result := make(chan int), make(chan syscall.Errno, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		tid <- syscall.Gettid()
		result <- wait()
	}()
	self := <-tid
	for {
		time.Sleep(20 * time.Millisecond)
		tgkill(self, uintptr(syscall.SIGURG))
		select {
		case e := <-result:
			return e
		default:
		}
	}
}

func flockIsInterrupted(t *T) {
	dir, a, b := twice(t)
	defer os.RemoveAll(dir)
	defer syscall.Close(a)
	defer syscall.Close(b)
	flock(a, syscall.LOCK_EX)
	e := interrupted(t, func() syscall.Errno { return flock(b, syscall.LOCK_SH) })
	t.Want("interrupted", e, syscall.EINTR)
}

func flockGoesAtClose(t *T) {
	dir, a, b := twice(t)
	defer os.RemoveAll(dir)
	defer syscall.Close(b)
	flock(a, syscall.LOCK_EX)
	done := soon(func() { syscall.Close(a) })
	t.Want("free after close", flock(b, syscall.LOCK_EX), syscall.Errno(0))
	<-done
}

func record(fd int, cmd int, kind int16, start, n int64) (syscall.Flock_t, syscall.Errno) {
	l := syscall.Flock_t{Type: kind, Start: start, Len: n}
	_, e := call(syscall.SYS_FCNTL, uintptr(fd), uintptr(cmd), ptr(&l))
	return l, e
}

func recordLocksOfOneProcess(t *T) {
	dir, a, b := twice(t)
	defer os.RemoveAll(dir)
	defer syscall.Close(b)
	_, e := record(a, syscall.F_SETLK, syscall.F_WRLCK, 0, 0)
	t.Want("lock", e, syscall.Errno(0))
	_, e = record(b, syscall.F_SETLK, syscall.F_WRLCK, 0, 0)
	t.Want("never against itself", e, syscall.Errno(0))
	l, e := record(b, syscall.F_GETLK, syscall.F_WRLCK, 0, 0)
	t.Want("nothing in the way", e == 0 && l.Type == syscall.F_UNLCK, true)
	l, e = record(b, ofdGetlk, syscall.F_RDLCK, 0, 10)
	t.Want("in the way of a description", e == 0 && l.Type == syscall.F_WRLCK, true)
	t.Want("owner", l.Pid, int32(os.Getpid()))
	c := open(t, dir+"/f", syscall.O_RDONLY, 0)
	syscall.Close(c) // any close of the file ends the process's locks
	_, e = record(b, ofdSetlk, syscall.F_WRLCK, 0, 0)
	t.Want("gone by the close of another descriptor", e, syscall.Errno(0))
	syscall.Close(a)
}

func recordLocksOfDescriptions(t *T) {
	dir, a, b := twice(t)
	defer os.RemoveAll(dir)
	defer syscall.Close(b)
	for _, c := range []struct {
		first, second int16
		want          syscall.Errno
	}{
		{syscall.F_RDLCK, syscall.F_RDLCK, 0}, {syscall.F_RDLCK, syscall.F_WRLCK, syscall.EAGAIN},
		{syscall.F_WRLCK, syscall.F_RDLCK, syscall.EAGAIN}, {syscall.F_WRLCK, syscall.F_WRLCK, syscall.EAGAIN},
	} {
		record(a, ofdSetlk, c.first, 0, 100)
		_, e := record(b, ofdSetlk, c.second, 99, 1)
		t.Want("second", e, c.want)
		_, e = record(b, ofdSetlk, c.second, 100, 100)
		t.Want("beside it", e, syscall.Errno(0))
		record(b, ofdSetlk, syscall.F_UNLCK, 0, 0)
	}
	l, _ := record(b, ofdGetlk, syscall.F_WRLCK, 50, 1)
	t.Want("in the way", l, syscall.Flock_t{Type: syscall.F_WRLCK, Start: 0, Len: 100, Pid: -1})
	dup, _ := syscall.Dup(a)
	_, e := record(dup, ofdSetlk, syscall.F_WRLCK, 0, 100)
	t.Want("a duplicate has it too", e, syscall.Errno(0))
	syscall.Close(a)
	_, e = record(b, ofdSetlk, syscall.F_RDLCK, 0, 1)
	t.Want("a duplicate is left", e, syscall.EAGAIN)
	syscall.Close(dup)
	_, e = record(b, ofdSetlk, syscall.F_RDLCK, 0, 1)
	t.Want("gone with the last one", e, syscall.Errno(0))
}

// recordLockRanges: a lock is cut, replaced and joined by others of its owner.
func recordLockRanges(t *T) {
	dir, a, b := twice(t)
	defer os.RemoveAll(dir)
	defer syscall.Close(a)
	defer syscall.Close(b)
	free := func(what string, at int64, want bool) {
		l, e := record(b, ofdGetlk, syscall.F_WRLCK, at, 1)
		t.Want(what, e == 0 && (l.Type == syscall.F_UNLCK) == want, true)
	}
	record(a, ofdSetlk, syscall.F_WRLCK, 0, 100)
	record(a, ofdSetlk, syscall.F_UNLCK, 40, 20)
	free("before the hole", 39, false)
	free("the hole", 40, true)
	free("its end", 59, true)
	free("behind it", 60, false)
	record(a, ofdSetlk, syscall.F_RDLCK, 0, 10)
	_, e := record(b, ofdSetlk, syscall.F_RDLCK, 5, 5)
	t.Want("weakened", e, syscall.Errno(0))
	_, e = record(b, ofdSetlk, syscall.F_RDLCK, 5, 6)
	t.Want("not all of it", e, syscall.EAGAIN)
	record(a, ofdSetlk, syscall.F_UNLCK, 0, 0)
	free("all unlocked", 1<<40, true)
	record(a, ofdSetlk, syscall.F_WRLCK, 1000, 0)
	free("to the end of every file", 1<<62, false)
	l := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: 2, Start: -5, Len: -5}
	syscall.Ftruncate(a, 100)
	_, e = call(syscall.SYS_FCNTL, uintptr(a), ofdSetlk, ptr(&l))
	t.Want("from the end, backwards", e, syscall.Errno(0))
	free("its first byte", 90, false)
	free("its last byte", 94, false)
	free("before it", 89, true)
	free("behind it", 95, true)
}

func recordLocksAndDescriptions(t *T) {
	dir, a, b := twice(t)
	defer os.RemoveAll(dir)
	defer syscall.Close(a)
	defer syscall.Close(b)
	record(a, ofdSetlk, syscall.F_WRLCK, 0, 0)
	_, e := record(b, syscall.F_SETLK, syscall.F_WRLCK, 0, 0)
	t.Want("process against description", e, syscall.EAGAIN)
	_, e = record(a, syscall.F_SETLK, syscall.F_RDLCK, 0, 0)
	t.Want("on the very same descriptor", e, syscall.EAGAIN)
	l, _ := record(b, syscall.F_GETLK, syscall.F_WRLCK, 0, 0)
	t.Want("owner", l.Pid, int32(-1))
}

func recordLocksWait(t *T) {
	dir, a, b := twice(t)
	defer os.RemoveAll(dir)
	defer syscall.Close(b)
	record(a, ofdSetlk, syscall.F_WRLCK, 0, 10)
	done := soon(func() { record(a, ofdSetlk, syscall.F_UNLCK, 0, 10) })
	_, e := record(b, ofdSetlkw, syscall.F_WRLCK, 5, 1)
	t.Want("after unlock", e, syscall.Errno(0))
	<-done
	record(a, ofdSetlk, syscall.F_WRLCK, 20, 10)
	done = soon(func() { syscall.Close(a) })
	_, e = record(b, syscall.F_SETLKW, syscall.F_WRLCK, 25, 1)
	t.Want("after close", e, syscall.Errno(0))
	<-done
}

func recordLocksAreInterrupted(t *T) {
	dir, a, b := twice(t)
	defer os.RemoveAll(dir)
	defer syscall.Close(a)
	defer syscall.Close(b)
	record(a, ofdSetlk, syscall.F_WRLCK, 0, 0)
	e := interrupted(t, func() syscall.Errno {
		_, e := record(b, ofdSetlkw, syscall.F_WRLCK, 0, 0)
		return e
	})
	t.Want("of a description", e, syscall.EINTR)
	e = interrupted(t, func() syscall.Errno {
		_, e := record(b, syscall.F_SETLKW, syscall.F_WRLCK, 0, 0)
		return e
	})
	t.Want("of the process", e, syscall.EINTR)
}

func recordLockErrors(t *T) {
	dir, a, b := twice(t)
	defer os.RemoveAll(dir)
	syscall.Close(b)
	defer syscall.Close(a)
	ro, wo := open(t, dir+"/f", syscall.O_RDONLY, 0), open(t, dir+"/f", syscall.O_WRONLY, 0)
	defer syscall.Close(ro)
	defer syscall.Close(wo)
	for _, c := range []struct {
		what     string
		fd, cmd  int
		kind     int16
		start, n int64
		want     syscall.Errno
	}{
		{"write lock, read-only", ro, syscall.F_SETLK, syscall.F_WRLCK, 0, 0, syscall.EBADF},
		{"read lock, write-only", wo, syscall.F_SETLK, syscall.F_RDLCK, 0, 0, syscall.EBADF},
		{"unknown kind", a, syscall.F_SETLK, 9, 0, 0, syscall.EINVAL},
		{"before the start", a, syscall.F_SETLK, syscall.F_WRLCK, -1, 1, syscall.EINVAL},
		{"backwards before the start", a, syscall.F_SETLK, syscall.F_WRLCK, 3, -5, syscall.EINVAL},
		{"past every end", a, syscall.F_SETLK, syscall.F_WRLCK, 1<<63 - 2, 10, syscall.EOVERFLOW},
		{"ask about nothing", a, syscall.F_GETLK, syscall.F_UNLCK, 0, 0, syscall.EINVAL},
		{"bad descriptor", -1, syscall.F_SETLK, syscall.F_WRLCK, 0, 0, syscall.EBADF},
	} {
		if _, e := record(c.fd, c.cmd, c.kind, c.start, c.n); e != c.want {
			t.Errorf("%s: %v, want %v", c.what, e, c.want)
		}
	}
	l := syscall.Flock_t{Type: syscall.F_WRLCK, Pid: 5}
	_, e := call(syscall.SYS_FCNTL, uintptr(a), ofdSetlk, ptr(&l))
	t.Want("a process number for a description", e, syscall.EINVAL)
	_, e = call(syscall.SYS_FCNTL, uintptr(a), syscall.F_SETLK, badPointer)
	t.Want("bad pointer", e, syscall.EFAULT)
}

func kindsDoNotMeet(t *T) {
	dir, a, b := twice(t)
	defer os.RemoveAll(dir)
	defer syscall.Close(a)
	defer syscall.Close(b)
	flock(a, syscall.LOCK_EX)
	_, e := record(b, ofdSetlk, syscall.F_WRLCK, 0, 0)
	t.Want("a record lock beside flock", e, syscall.Errno(0))
	_, e = record(a, ofdSetlk, syscall.F_WRLCK, 0, 0)
	t.Want("which still conflicts with its like", e, syscall.EAGAIN)
}
