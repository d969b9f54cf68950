package main

import (
	"fmt"
	"os"
	"syscall"
)

const (
	in, out, errBit, hup, rdhup = 1, 4, 8, 0x10, 0x2000
	edge, oneShot               = 1 << 31, 1 << 30
	add, del, mod               = 1, 2, 3
)

func control(ep, op, fd int, events uint32, data int) int {
	e := syscall.EpollEvent{Events: events, Fd: int32(data), Pad: int32(data * 3)}
	return call(syscall.SYS_EPOLL_CTL, uintptr(ep), uintptr(op), uintptr(fd), ptr(&e))
}

// wait prints the events that are there, at most max.
func wait(what string, ep, max, ms int) {
	var events [8]syscall.EpollEvent
	n := call(281, uintptr(ep), ptr(&events), uintptr(max), uintptr(ms), 0, 0) // epoll_pwait
	show(what, n)
	for i := 0; i < n; i++ {
		e := events[i]
		fmt.Printf("  events %#x data %d %v\n", e.Events, e.Fd, e.Pad == e.Fd*3)
	}
}

func newEpoll() int {
	return done("epoll_create1", call(syscall.SYS_EPOLL_CREATE1, syscall.EPOLL_CLOEXEC))
}

func epoll() {
	eventCounter()
	edges()
	levels()
	controls()
	fullRound()
	hangups()
}

func eventCounter() {
	ep := newEpoll()
	const nonblock = syscall.O_NONBLOCK
	ev := done("eventfd2", call(290, 0, syscall.O_CLOEXEC|nonblock))
	b := make([]byte, 8)
	show("empty", read(ev, b))
	show("add", control(ep, add, ev, in, 7))
	wait("nothing", ep, 8, 0)
	show("count 3", write(ev, "\x03\x00\x00\x00\x00\x00\x00\x00"))
	show("count 2", write(ev, "\x02\x00\x00\x00\x00\x00\x00\x00"))
	wait("counted", ep, 8, -1)
	wait("still", ep, 8, -1)
	show("short", read(ev, b[:4]))
	show("read", read(ev, b))
	fmt.Println(b)
	wait("nothing", ep, 8, 1)
	show("count too much", write(ev, "\xff\xff\xff\xff\xff\xff\xff\xff"))
	closeFd(ev)
	wait("closed", ep, 8, 0)
	show("gone", control(ep, del, ev, 0, 0))
	closeFd(ep)
}

func edges() {
	ep := newEpoll()
	r, w := pipe(syscall.O_NONBLOCK)
	show("write before", write(w, "a"))
	show("add reader", control(ep, add, r, in|out|rdhup|edge, 1))
	wait("there already", ep, 8, 0)
	wait("reported once", ep, 8, 0)
	show("write more", write(w, "b"))
	wait("new edge", ep, 8, 0)
	b := make([]byte, 1)
	show("read part", read(r, b))
	wait("no edge", ep, 8, 0)
	show("add writer", control(ep, add, w, in|out|rdhup|edge, 2))
	wait("writable", ep, 8, 0)
	wait("once", ep, 8, 0)
	chunk := make([]byte, 4096)
	for call(syscall.SYS_WRITE, uintptr(w), ptr(&chunk[0]), 4096) > 0 {
	}
	wait("reader's edge", ep, 8, 0)
	for read(r, chunk) > 0 {
	}
	wait("writable again", ep, 8, 0)
	show("close writer", closeFd(w))
	wait("hang up", ep, 8, 0)
	wait("once", ep, 8, 0)
	closeFd(r)
	closeFd(ep)
}

func levels() {
	ep := newEpoll()
	r, w := pipe(syscall.O_NONBLOCK)
	show("add", control(ep, add, r, in, 1))
	show("write", write(w, "ab"))
	wait("level", ep, 8, 0)
	b := make([]byte, 1)
	show("read one", read(r, b))
	wait("still", ep, 8, 0)
	show("read other", read(r, b))
	wait("no more", ep, 8, 0)
	show("one shot", control(ep, mod, r, in|oneShot, 5))
	show("write", write(w, "ab"))
	wait("shot", ep, 8, 0)
	wait("spent", ep, 8, 0)
	show("arm", control(ep, mod, r, in|oneShot, 6))
	wait("shot", ep, 8, 0)
	closeFd(r)
	closeFd(w)
	closeFd(ep)
}

func controls() {
	ep := newEpoll()
	r, w := pipe(syscall.O_NONBLOCK)
	show("add", control(ep, add, r, in, 1))
	show("add again", control(ep, add, r, in, 1))
	show("del unknown", control(ep, del, w, 0, 0))
	show("mod unknown", control(ep, mod, w, in, 0))
	show("add bad fd", control(ep, add, 999, in, 0))
	show("add itself", control(ep, add, ep, in, 0))
	show("not an epoll", control(r, add, w, in, 0))
	show("bad operation", control(ep, 9, w, in, 0))
	null := open("/dev/null", os.O_RDWR)
	file := open("/etc/hosts", os.O_RDONLY)
	dir := open("/tmp", syscall.O_DIRECTORY)
	show("add a file", control(ep, add, file, in, 0))
	show("add a directory", control(ep, add, dir, in, 0))
	show("add from nowhere", call(syscall.SYS_EPOLL_CTL, uintptr(ep), add, uintptr(w), badPointer))
	show("del", control(ep, del, r, 0, 0))
	show("del again", control(ep, del, r, 0, 0))
	var e [1]syscall.EpollEvent
	show("wait for none", call(281, uintptr(ep), ptr(&e), 0, 0, 0, 0))
	show("wait on a pipe", call(281, uintptr(r), ptr(&e), 1, 0, 0, 0))
	waited := -int(syscall.EINTR)
	for waited == -int(syscall.EINTR) { // by a signal of the runtime's own
		waited = call(syscall.SYS_EPOLL_WAIT, uintptr(ep), ptr(&e), 1, 1)
	}
	show("wait, old call", waited)
	for _, fd := range []int{r, w, null, file, dir, ep} {
		closeFd(fd)
	}
}

// fullRound: with room for one event at a time, every ready descriptor is reported in the end.
func fullRound() {
	ep := newEpoll()
	var ws [5]int
	for i := range ws {
		r, w := pipe(syscall.O_NONBLOCK)
		control(ep, add, r, in|edge, i)
		ws[i] = w
	}
	for _, w := range ws {
		write(w, "x")
	}
	seen := 0
	for i := 0; i < len(ws); i++ {
		var e [1]syscall.EpollEvent
		if call(281, uintptr(ep), ptr(&e), 1, 0, 0, 0) == 1 {
			seen |= 1 << e[0].Fd
		}
	}
	show("seen one by one", seen)
	wait("none left", ep, 8, 0)
}

// hangups: a duplicate keeps the registration alive; the last close ends it.
func hangups() {
	ep := newEpoll()
	r, w := pipe(syscall.O_NONBLOCK)
	show("add", control(ep, add, w, out|edge, 3))
	wait("writable", ep, 8, 0)
	show("close reader", closeFd(r))
	wait("error", ep, 8, 0)
	copyFd := call(syscall.SYS_DUP, uintptr(w))
	show("mod to level", control(ep, mod, w, out, 4))
	show("close", closeFd(w))
	wait("the duplicate lives", ep, 8, 0)
	show("close duplicate", closeFd(copyFd))
	wait("gone", ep, 8, 0)
}
