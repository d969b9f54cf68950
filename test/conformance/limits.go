package main

import (
	"os"
	"syscall"
)

// Limits of the process, and what a call says that would go beyond.

var limitChecks = []check{
	{"file-size-write", withLimit(limitFileSize, limitFileSizeWrite)},
	{"file-size-grow", withLimit(limitFileSize, limitFileSizeGrow)},
	{"pending-signals", onLimitThread(limitPendingSignals)},
	{"descriptors-of-each-kind", limitDescriptors},
}

const (
	limitFileSize    = 1
	limitDescriptor  = 7
	limitSigpending  = 11
	unlimited        = ^uint64(0)
	sizeLimitOfCheck = 10000
)

// limited runs f with another soft limit.
func limited(t *T, resource uintptr, soft uint64, f func()) {
	var old [2]uint64
	_, e := call(syscall.SYS_PRLIMIT64, 0, resource, 0, ptr(&old))
	t.Want("getting the limit", e, syscall.Errno(0))
	fresh := [2]uint64{soft, old[1]}
	_, e = call(syscall.SYS_PRLIMIT64, 0, resource, ptr(&fresh), 0)
	t.Want("setting the limit", e, syscall.Errno(0))
	var told [2]uint64
	call(syscall.SYS_PRLIMIT64, 0, resource, 0, ptr(&told))
	t.Want("the limit", told, fresh)
	f()
	_, e = call(syscall.SYS_PRLIMIT64, 0, resource, ptr(&old), 0)
	t.Want("setting the limit back", e, syscall.Errno(0))
}

// withLimit is a check with a file, a handler for SIGXFSZ, and a limit of sizes.
func withLimit(resource uintptr, f func(t *T, fd int)) func(t *T) {
	return onSignalThread(func(t *T) {
		defer noteSignal(t, syscall.SIGXFSZ, 0, 0)()
		dir := tempDir(t)
		defer os.RemoveAll(dir)
		fd := open(t, dir+"/file", syscall.O_RDWR|syscall.O_CREAT, 0o600)
		defer syscall.Close(fd)
		limited(t, resource, sizeLimitOfCheck, func() { f(t, fd) })
	})
}

func onLimitThread(f func(t *T)) func(t *T) { return onSignalThread(f) }

// limitFileSizeWrite: a write is cut off at the limit; one that begins there is EFBIG, and SIGXFSZ.
func limitFileSizeWrite(t *T, fd int) {
	b := make([]byte, 8000)
	n, err := syscall.Write(fd, b)
	t.Want("below the limit", n, 8000)
	t.Want("below the limit", err, nil)
	n, err = syscall.Write(fd, b)
	t.Want("across the limit", n, 2000)
	t.Want("across the limit", err, nil)
	t.Want("signals so far", runs(), uint64(0))
	_, err = syscall.Write(fd, b)
	t.Want("at the limit", errnoOf(err), syscall.EFBIG)
	t.Want("signals", runs(), uint64(1))
	_, err = syscall.Pwrite(fd, b[:1], 20000)
	t.Want("beyond the limit", errnoOf(err), syscall.EFBIG)
	n, err = syscall.Pwrite(fd, b, 5000)
	t.Want("in the middle", n, 5000)
	t.Want("in the middle", err, nil)
	vec := []iovec{iovecOf(b[:100]), iovecOf(b[:100])}
	got, e := call(syscall.SYS_PWRITEV, uintptr(fd), ptr(&vec[0]), 2, 9850)
	t.Want("two parts", e, syscall.Errno(0))
	t.Want("two parts", got, uintptr(150))
	t.Want("size", fstat(t, fd).Size, int64(sizeLimitOfCheck))
	r, w := pipe(t, syscall.O_NONBLOCK)
	n, _ = syscall.Write(w, make([]byte, 20000))
	t.Want("to a pipe", n, 20000)
	syscall.Close(r)
	syscall.Close(w)
}

// limitFileSizeGrow: files are not made larger otherwise either; smaller they may become.
func limitFileSizeGrow(t *T, fd int) {
	t.Want("to the limit", errnoOf(syscall.Ftruncate(fd, sizeLimitOfCheck)), syscall.Errno(0))
	t.Want("beyond it", errnoOf(syscall.Ftruncate(fd, sizeLimitOfCheck+1)), syscall.EFBIG)
	t.Want("signals", runs(), uint64(1))
	t.Want("smaller", errnoOf(syscall.Ftruncate(fd, 10)), syscall.Errno(0))
	t.Want("size", fstat(t, fd).Size, int64(10))
}

// limitPendingSignals: with no room for details real-time signals are refused, but for kill's; standard
// ones come without.
func limitPendingSignals(t *T) {
	const s = syscall.Signal(50)
	block(s, syscall.SIGUSR1)
	limited(t, limitSigpending, 0, func() {
		t.Want("sigqueue of a real-time signal", queue(s, -1, 7), syscall.EAGAIN)
		t.Want("tgkill of a real-time signal", sendSelf(s), syscall.EAGAIN)
		t.Want("sigqueue of a standard one", queue(syscall.SIGUSR1, -1, 7), syscall.Errno(0))
		var id int32
		_, e := call(syscall.SYS_TIMER_CREATE, 1, 0, ptr(&id))
		t.Want("timer_create", e, syscall.EAGAIN)
	})
	for _, one := range []syscall.Signal{s, syscall.SIGUSR1} {
		for {
			if _, e := take(bit(one), new(siginfo), 0); e != 0 {
				break
			}
		}
	}
	t.Want("sigqueue again", queue(s, -1, 7), syscall.Errno(0))
	_, e := take(bit(s), new(siginfo), 0)
	t.Want("it came", e, syscall.Errno(0))
}

// limitDescriptors: whatever makes a descriptor says EMFILE, and leaves nothing behind.
func limitDescriptors(t *T) {
	p := newPointerPlace(t)
	defer p.close()
	before := openDescriptors(t)
	low := open(t, "/dev/null", syscall.O_RDONLY, 0)
	syscall.Close(low)
	pair, set := [2]int32{}, uint64(0)
	name := ptr(&[]byte("x\x00")[0])
	null := ptr(&[]byte("/dev/null\x00")[0])
	limited(t, limitDescriptor, uint64(low), func() {
		for what, c := range map[string][]uintptr{
			"open": {2, null, 0}, "creat": {85, null, 0}, "openat": {257, ^uintptr(99), null, 0}, "socket": {41, 1, 1, 0},
			"socketpair": {53, 1, 1, 0, ptr(&pair)}, "pipe2": {293, ptr(&pair), 0}, "dup": {32, p.file},
			"accept4": {288, p.listener, 0, 0, 0}, "epoll_create1": {291, 0}, "eventfd2": {290, 0, 0},
			"timerfd_create": {283, 1, 0}, "signalfd4": {289, ^uintptr(0), ptr(&set), 8, 0},
			"inotify_init1": {294, 0}, "memfd_create": {319, name, 0},
		} {
			_, e := call(c[0], c[1:]...)
			t.Want(what, e, syscall.EMFILE)
		}
	})
	t.Want("descriptors more", openDescriptors(t)-before, 0)
	_, e := call(syscall.SYS_ACCEPT4, p.listener, 0, 0, 0)
	t.Want("accept4: the connection is still there", e == 0 || e == syscall.EAGAIN, true)
}
