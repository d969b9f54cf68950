package main

import (
	"syscall"
	"time"
)

// Poll and select.
var epollPollChecks = []check{
	{"poll-negative-and-bad", pollBad},
	{"select-sets", selectSets},
}

func pollBad(t *T) {
	type pollfd struct {
		fd              int32
		events, revents int16
	}
	r, w := unixPipe(t)
	defer closeFds(r, w)
	unixWrite(t, w, "x")
	all := [4]pollfd{{-5, 1, 99}, {99_999, 1, 0}, {int32(r), 1, 0}, {int32(w), 0, 99}}
	n, errno := callAgain(syscall.SYS_POLL, ptr(&all[0]), 4, 0)
	t.Want("error", errno, syscall.Errno(0))
	t.Want("ready", n, uintptr(2))
	t.Want("negative", all[0].revents, int16(0))
	t.Want("closed: POLLNVAL", all[1].revents, int16(0x20))
	t.Want("readable", all[2].revents, int16(1))
	t.Want("asked nothing", all[3].revents, int16(0))
	_, errno = callAgain(syscall.SYS_POLL, badPointer, 1, 0)
	t.Want("no memory", errno, syscall.EFAULT)
}

func selectSets(t *T) {
	r, w := unixPipe(t)
	defer closeFds(r, w)
	set := func(fds ...int) (s syscall.FdSet) {
		for _, fd := range fds {
			s.Bits[fd/64] |= 1 << (fd % 64)
		}
		return s
	}
	in, out, tv := set(r, w), set(r, w), syscall.Timeval{}
	n, err := syscall.Select(max(r, w)+1, &in, &out, nil, &tv)
	if n != 1 || err != nil || in != set() || out != set(w) {
		t.Errorf("select: %d, %v, in %v, out %v", n, err, in.Bits[0], out.Bits[0])
	}
	unixWrite(t, w, "x")
	in = set(r)
	n, err = syscall.Select(r+1, &in, nil, nil, nil)
	if n != 1 || err != nil || in != set(r) {
		t.Errorf("select: %d, %v, in %v", n, err, in.Bits[0])
	}
	in = set(500)
	_, err = syscall.Select(501, &in, nil, nil, &tv)
	t.Want("a closed descriptor", err, error(syscall.EBADF))
	_, err = syscall.Select(-1, nil, nil, nil, &tv)
	t.Want("a negative count", err, error(syscall.EINVAL))
	tv = syscall.Timeval{Usec: 20_000}
	start := time.Now()
	again(func() error { // with what is left of the time
		n, err = syscall.Select(0, nil, nil, nil, &tv)
		return err
	})
	if n != 0 || err != nil || time.Since(start) < 19*time.Millisecond {
		t.Errorf("a sleep: %d, %v after %v", n, err, time.Since(start))
	}
}
