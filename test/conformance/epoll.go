package main

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Epoll, poll and select.
var epollChecks = slices.Concat(epollCallChecks, epollBitChecks, epollPollChecks)

// What the calls promise: triggers, nesting, errors, times.
var epollCallChecks = []check{
	{"level-and-edge", epollLevelEdge},
	{"edges-survive-few-events", epollFewEvents},
	{"oneshot", epollOneShot},
	{"exclusive", epollExclusive},
	{"data-comes-back", epollData},
	{"ready-when-added", epollReadyNow},
	{"change-asks-again", epollModify},
	{"nested", epollNested},
	{"no-circles", epollCircle},
	{"what-cannot-be-polled", epollPermission},
	{"closed-and-duplicated", epollClosed},
	{"errors", epollErrors},
	{"timeouts", epollTimeouts},
	{"wakes-every-edge", epollEveryEdge},
	{"one-event-one-thread", epollOneThread},
}

const (
	epollET        = 1 << 31
	epollOnce      = 1 << 30
	epollExclus    = 1 << 28
	epollAll       = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP
	epollImmediate = 0
)

func epollSet(t *T) (ep int, done func()) {
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	t.Must("epoll_create1", err)
	return ep, func() { syscall.Close(ep) }
}

func epollAdd(t *T, ep, fd int, events uint32) {
	t.Must("add", syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: events, Fd: int32(fd)}))
}

// epollWait is epoll_wait(2).
func epollWait(ep int, events []syscall.EpollEvent, ms int) (n int, err error) {
	err = again(func() error {
		n, err = syscall.EpollWait(ep, events, ms)
		return err
	})
	return n, err
}

// epollGot is what a wait reports: the bits by descriptor.
func epollGot(t *T, ep, room, ms int) map[int]uint32 {
	events := make([]syscall.EpollEvent, room)
	n, err := epollWait(ep, events, ms)
	t.Must("wait", err)
	got := map[int]uint32{}
	for _, e := range events[:n] {
		got[int(e.Fd)] = e.Events
	}
	return got
}

func epollWant(t *T, what string, ep int, want map[int]uint32) {
	if got := epollGot(t, ep, 16, epollImmediate); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %#v, want %#v", what, got, want)
	}
}

func epollLevelEdge(t *T) {
	r, w := unixPipe(t)
	defer closeFds(r, w)
	level, done := epollSet(t)
	defer done()
	edge, done := epollSet(t)
	defer done()
	epollAdd(t, level, r, syscall.EPOLLIN)
	epollAdd(t, edge, r, syscall.EPOLLIN|epollET)
	unixWrite(t, w, "abc")
	in := map[int]uint32{r: syscall.EPOLLIN}
	epollWant(t, "level", level, in)
	epollWant(t, "level again", level, in)
	epollWant(t, "edge", edge, in)
	epollWant(t, "edge again", edge, map[int]uint32{})
	unixWrite(t, w, "d")
	epollWant(t, "edge after more", edge, in)
	syscall.Read(r, make([]byte, 1))
	epollWant(t, "edge after a read", edge, map[int]uint32{})
	epollWant(t, "level after a read", level, in)
	syscall.Read(r, make([]byte, 9))
	epollWant(t, "level when empty", level, map[int]uint32{})
}

// epollFewEvents: what finds no room is reported by the next wait.
func epollFewEvents(t *T) {
	ep, done := epollSet(t)
	defer done()
	const pipes = 50
	for i := 0; i < pipes; i++ {
		r, w := unixPipe(t)
		defer closeFds(r, w)
		epollAdd(t, ep, r, syscall.EPOLLIN|epollET)
		unixWrite(t, w, "x")
	}
	seen := map[int]bool{}
	for i := 0; i < pipes; i++ {
		for fd := range epollGot(t, ep, 3, epollImmediate) {
			t.Want("reported twice", seen[fd], false)
			seen[fd] = true
		}
	}
	t.Want("reported", len(seen), pipes)
}

func epollOneShot(t *T) {
	r, w := unixPipe(t)
	defer closeFds(r, w)
	ep, done := epollSet(t)
	defer done()
	epollAdd(t, ep, r, syscall.EPOLLIN|epollOnce)
	unixWrite(t, w, "x")
	epollWant(t, "first", ep, map[int]uint32{r: syscall.EPOLLIN})
	unixWrite(t, w, "x")
	epollWant(t, "disabled", ep, map[int]uint32{})
	syscall.Close(w)
	epollWant(t, "disabled, even for EPOLLHUP", ep, map[int]uint32{})
	e := syscall.EpollEvent{Events: syscall.EPOLLIN | epollOnce, Fd: int32(r)}
	t.Must("change", syscall.EpollCtl(ep, syscall.EPOLL_CTL_MOD, r, &e))
	epollWant(t, "enabled again", ep, map[int]uint32{r: syscall.EPOLLIN | syscall.EPOLLHUP})
}

func epollExclusive(t *T) {
	r, w := unixPipe(t)
	defer closeFds(r, w)
	ep, done := epollSet(t)
	defer done()
	epollAdd(t, ep, r, syscall.EPOLLIN|epollExclus)
	unixWrite(t, w, "x")
	epollWant(t, "reported", ep, map[int]uint32{r: syscall.EPOLLIN})
	e := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(r)}
	t.Want("change", syscall.EpollCtl(ep, syscall.EPOLL_CTL_MOD, r, &e), error(syscall.EINVAL))
	e.Events = syscall.EPOLLIN | epollExclus | epollOnce
	t.Want("with EPOLLONESHOT", syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, w, &e), error(syscall.EINVAL))
	other, done := epollSet(t)
	defer done()
	e.Events = syscall.EPOLLIN | epollExclus
	t.Want("of a set", syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, other, &e), error(syscall.EINVAL))
}

func epollData(t *T) {
	r, w := unixPipe(t)
	defer closeFds(r, w)
	ep, done := epollSet(t)
	defer done()
	e := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: -1234567, Pad: 0x7fedcba9}
	t.Must("add", syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, r, &e))
	unixWrite(t, w, "x")
	var got [1]syscall.EpollEvent
	n, err := syscall.EpollWait(ep, got[:], 0)
	if n != 1 || err != nil || got[0].Fd != e.Fd || got[0].Pad != e.Pad {
		t.Errorf("%d, %v, %+v", n, err, got)
	}
}

func epollReadyNow(t *T) {
	r, w := unixPipe(t)
	defer closeFds(r, w)
	unixWrite(t, w, "x")
	ep, done := epollSet(t)
	defer done()
	epollAdd(t, ep, r, epollAll|epollET)
	epollAdd(t, ep, w, epollAll|epollET)
	epollWant(t, "both", ep, map[int]uint32{r: syscall.EPOLLIN, w: syscall.EPOLLOUT})
	epollWant(t, "once", ep, map[int]uint32{})
}

func epollModify(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	ep, doneSet := epollSet(t)
	defer doneSet()
	unixWrite(t, b, "x")
	epollAdd(t, ep, a, syscall.EPOLLOUT|epollET)
	epollWant(t, "writable", ep, map[int]uint32{a: syscall.EPOLLOUT})
	e := syscall.EpollEvent{Events: syscall.EPOLLIN | epollET, Fd: int32(a)}
	t.Must("change", syscall.EpollCtl(ep, syscall.EPOLL_CTL_MOD, a, &e))
	epollWant(t, "readable", ep, map[int]uint32{a: syscall.EPOLLIN})
	t.Must("change", syscall.EpollCtl(ep, syscall.EPOLL_CTL_MOD, a, &e))
	epollWant(t, "asked again by a change", ep, map[int]uint32{a: syscall.EPOLLIN})
	e.Events = epollET
	t.Must("change", syscall.EpollCtl(ep, syscall.EPOLL_CTL_MOD, a, &e))
	syscall.Close(b)
	epollWant(t, "EPOLLHUP unasked", ep, map[int]uint32{a: syscall.EPOLLHUP})
}

func epollNested(t *T) {
	r, w := unixPipe(t)
	defer closeFds(r, w)
	inner, done := epollSet(t)
	defer done()
	outer, done := epollSet(t)
	defer done()
	epollAdd(t, inner, r, syscall.EPOLLIN)
	epollAdd(t, outer, inner, syscall.EPOLLIN)
	epollWant(t, "idle", outer, map[int]uint32{})
	t.Want("poll of an idle set", unixPoll(t, inner), int16(0))
	woken := make(chan map[int]uint32)
	go func() { woken <- epollGot(t, outer, 4, 20_000) }()
	time.Sleep(5 * time.Millisecond)
	unixWrite(t, w, "x")
	t.Want("outer", fmt.Sprint(<-woken), fmt.Sprint(map[int]uint32{inner: syscall.EPOLLIN}))
	t.Want("poll of a ready set", unixPoll(t, inner), int16(syscall.EPOLLIN|0x40))
	epollWant(t, "inner", inner, map[int]uint32{r: syscall.EPOLLIN})
	syscall.Read(r, make([]byte, 9))
	epollWant(t, "idle again", outer, map[int]uint32{})
}

func epollCircle(t *T) {
	a, done := epollSet(t)
	defer done()
	b, done := epollSet(t)
	defer done()
	e := syscall.EpollEvent{Events: syscall.EPOLLIN}
	t.Want("itself", syscall.EpollCtl(a, syscall.EPOLL_CTL_ADD, a, &e), error(syscall.EINVAL))
	epollAdd(t, a, b, syscall.EPOLLIN)
	t.Want("a circle", syscall.EpollCtl(b, syscall.EPOLL_CTL_ADD, a, &e), error(syscall.ELOOP))
	last := b
	for i := 0; ; i++ {
		next, done := epollSet(t)
		defer done()
		if err := syscall.EpollCtl(last, syscall.EPOLL_CTL_ADD, next, &e); err != nil {
			t.Want("too deep", err, error(syscall.ELOOP))
			break
		}
		if i > 10 {
			t.Fatalf("sets nest without end")
		}
		last = next
	}
}

func epollPermission(t *T) {
	ep, done := epollSet(t)
	defer done()
	f, err := os.CreateTemp("", "epoll")
	t.Must("file", err)
	defer os.Remove(f.Name())
	defer f.Close()
	dir, err := os.Open(os.TempDir())
	t.Must("folder", err)
	defer dir.Close()
	e := syscall.EpollEvent{Events: syscall.EPOLLIN}
	t.Want("a file", syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, int(f.Fd()), &e), error(syscall.EPERM))
	t.Want("a folder", syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, int(dir.Fd()), &e), error(syscall.EPERM))
	t.Want("poll of a file", unixPoll(t, int(f.Fd()))&5, int16(5))
}

// epollClosed: a registration belongs to the open file: it goes with its last descriptor.
func epollClosed(t *T) {
	r, w := unixPipe(t)
	defer closeFds(w)
	ep, done := epollSet(t)
	defer done()
	epollAdd(t, ep, r, syscall.EPOLLIN)
	e := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(r)}
	t.Want("added twice", syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, r, &e), error(syscall.EEXIST))
	dup, err := syscall.Dup(r)
	t.Must("dup", err)
	epollAdd(t, ep, dup, syscall.EPOLLIN)
	t.Must("remove", syscall.EpollCtl(ep, syscall.EPOLL_CTL_DEL, dup, nil))
	unixWrite(t, w, "x")
	syscall.Close(r)
	epollWant(t, "a duplicate is open", ep, map[int]uint32{r: syscall.EPOLLIN})
	t.Want("by the closed number", syscall.EpollCtl(ep, syscall.EPOLL_CTL_DEL, r, nil), error(syscall.EBADF))
	syscall.Close(dup)
	epollWant(t, "all are closed", ep, map[int]uint32{})
	// The number in new use is another file.
	r2, w2 := unixPipe(t)
	defer closeFds(r2, w2)
	epollAdd(t, ep, r2, syscall.EPOLLIN)
	epollWant(t, "another file", ep, map[int]uint32{})
}

func epollErrors(t *T) {
	r, w := unixPipe(t)
	defer closeFds(r, w)
	ep, done := epollSet(t)
	defer done()
	e := syscall.EpollEvent{Events: syscall.EPOLLIN}
	t.Want("change of what is not there", syscall.EpollCtl(ep, syscall.EPOLL_CTL_MOD, r, &e), error(syscall.ENOENT))
	t.Want("removal of what is not there", syscall.EpollCtl(ep, syscall.EPOLL_CTL_DEL, r, nil), error(syscall.ENOENT))
	t.Want("an unknown operation", syscall.EpollCtl(ep, 9, r, &e), error(syscall.EINVAL))
	t.Want("no set", syscall.EpollCtl(r, syscall.EPOLL_CTL_ADD, w, &e), error(syscall.EINVAL))
	t.Want("a closed descriptor", syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, 99_999, &e), error(syscall.EBADF))
	_, errno := call(syscall.SYS_EPOLL_CTL, uintptr(ep), syscall.EPOLL_CTL_ADD, uintptr(r), badPointer)
	t.Want("no event", errno, syscall.EFAULT)
	_, errno = call(syscall.SYS_EPOLL_WAIT, uintptr(ep), ptr(&e), 0, 0)
	t.Want("room for none", errno, syscall.EINVAL)
	_, errno = call(syscall.SYS_EPOLL_WAIT, uintptr(r), ptr(&e), 1, 0)
	t.Want("wait on no set", errno, syscall.EINVAL)
	epollAdd(t, ep, r, syscall.EPOLLIN|epollET)
	unixWrite(t, w, "x")
	_, errno = call(syscall.SYS_EPOLL_WAIT, uintptr(ep), badPointer, 1, 0)
	t.Want("no room", errno, syscall.EFAULT)
	_, errno = call(syscall.SYS_EPOLL_CREATE1, 1)
	t.Want("unknown flags", errno, syscall.EINVAL)
	_, errno = call(syscall.SYS_EPOLL_CREATE, 0)
	t.Want("size 0", errno, syscall.EINVAL)
}

func epollTimeouts(t *T) {
	ep, done := epollSet(t)
	defer done()
	start := time.Now()
	epollGot(t, ep, 1, 30)
	if d := time.Since(start); d < 29*time.Millisecond {
		t.Errorf("30 ms took %v", d)
	}
	var e syscall.EpollEvent
	ts := syscall.Timespec{Nsec: 20_000_000}
	start = time.Now()
	n, errno := callAgain(441 /* epoll_pwait2 */, uintptr(ep), ptr(&e), 1, ptr(&ts), 0, 0)
	if n != 0 || errno != 0 || time.Since(start) < 19*time.Millisecond {
		t.Errorf("epoll_pwait2: %d, %v after %v", n, errno, time.Since(start))
	}
	start = time.Now()
	n, errno = callAgain(syscall.SYS_POLL, 0, 0, 20)
	if n != 0 || errno != 0 || time.Since(start) < 19*time.Millisecond {
		t.Errorf("poll of nothing: %d, %v after %v", n, errno, time.Since(start))
	}
	// A wait from the past, seen from another thread, ends by what comes.
	r, w := unixPipe(t)
	defer closeFds(r, w)
	epollAdd(t, ep, r, syscall.EPOLLIN)
	woken := make(chan int)
	go func() { woken <- len(epollGot(t, ep, 1, -1)) }()
	time.Sleep(5 * time.Millisecond)
	unixWrite(t, w, "x")
	t.Want("events", <-woken, 1)
}

// epollEveryEdge: however often the writer and the reader meet, none is lost.
func epollEveryEdge(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	unixNonblock(t, a, b)
	ep, doneSet := epollSet(t)
	defer doneSet()
	epollAdd(t, ep, b, syscall.EPOLLIN|epollET)
	const rounds = 3000
	var read atomic.Int64
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for i := int64(0); i < rounds; i++ {
			syscall.Write(a, []byte("x"))
			for limit := time.Now().Add(patience / 2); read.Load() <= i; {
				if time.Now().After(limit) {
					return
				}
			}
		}
	}()
	for buf := make([]byte, 4); read.Load() < rounds; {
		if len(epollGot(t, ep, 1, 30_000)) == 0 {
			t.Fatalf("the edge after %d bytes is lost", read.Load())
		}
		for {
			n, err := syscall.Read(b, buf)
			if err != nil {
				break
			}
			read.Add(int64(n))
		}
	}
	wg.Wait()
}

// epollOneThread: an edge wakes one of those who wait; all edges wake enough.
func epollOneThread(t *T) {
	ep, done := epollSet(t)
	defer done()
	const threads, pipes = 3, 200
	var got atomic.Int64
	var wg sync.WaitGroup
	ended, end := unixPipe(t)
	defer closeFds(ended, end)
	epollAdd(t, ep, ended, syscall.EPOLLIN)
	for i := 0; i < threads; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				for fd := range epollGot(t, ep, 1, -1) {
					if fd == ended {
						return
					}
					got.Add(1)
				}
			}
		}()
	}
	for i := 0; i < pipes; i++ {
		r, w := unixPipe(t)
		defer closeFds(r, w)
		epollAdd(t, ep, r, syscall.EPOLLIN|epollET)
		unixWrite(t, w, "x")
	}
	for limit := time.Now().Add(patience / 2); got.Load() < pipes && time.Now().Before(limit); {
		time.Sleep(time.Millisecond)
	}
	unixWrite(t, end, "x")
	wg.Wait()
	t.Want("events", got.Load(), int64(pipes))
}
