package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

type timespec struct{ sec, nsec int64 }

// during runs f on a thread of its own and sends that thread a signal while it waits. The handler
// is Go's, with SA_RESTART: either the call ends with EINTR, or it goes on and end must finish it.
func during(name string, f func() int, end func()) {
	tid, result := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread()
		tid <- syscall.Gettid()
		result <- f()
	}()
	t := <-tid
	time.Sleep(50 * time.Millisecond)
	tgkill(os.Getpid(), t, int(syscall.SIGUSR1))
	select {
	case r := <-result:
		show(name+" ended", r)
		return
	case <-time.After(100 * time.Millisecond):
	}
	end()
	show(name+" went on", <-result)
}

func restart() {
	debug.SetGCPercent(-1) // its signals would end calls, too
	c := make(chan os.Signal, 10)
	signal.Notify(c, syscall.SIGUSR1)
	restartFutex()
	restartSleep()
	restartPolls()
	restartSignals()
	restartFiles()
	restartSockets()
}

func nothing() {}

func restartFutex() {
	const wait, waitBitset, wake, private, realtime = 0, 9, 1, 128, 256
	var w uint32
	release := func() { call(syscall.SYS_FUTEX, ptr(&w), wake|private, 1) }
	during("futex", func() int { return call(syscall.SYS_FUTEX, ptr(&w), wait|private, 0) }, release)
	during("futex for a time", func() int {
		return call(syscall.SYS_FUTEX, ptr(&w), wait|private, 0, ptr(&timespec{sec: 5}))
	}, release)
	during("futex until a time", func() int {
		until := time.Now().Add(5 * time.Second).UnixNano()
		return call(syscall.SYS_FUTEX, ptr(&w), waitBitset|private|realtime, 0,
			ptr(&timespec{until / 1e9, until % 1e9}), 0, 1)
	}, release)
}

func restartSleep() {
	during("nanosleep", func() int { return call(syscall.SYS_NANOSLEEP, ptr(&timespec{sec: 5}), 0) }, nothing)
	during("clock_nanosleep", func() int {
		return call(syscall.SYS_CLOCK_NANOSLEEP, 1, 0, ptr(&timespec{sec: 5}), 0)
	}, nothing)
}

func restartPolls() {
	type pollfd struct {
		fd              int32
		events, revents int16
	}
	var p [2]int
	fact("pipe", syscall.Pipe(p[:]) == nil)
	one := func() *pollfd { return &pollfd{fd: int32(p[0]), events: 1} }
	during("poll", func() int { return call(syscall.SYS_POLL, ptr(one()), 1, 5000) }, nothing)
	during("poll for ever", func() int { return call(syscall.SYS_POLL, ptr(one()), 1, ^uintptr(0)) }, nothing)
	during("ppoll", func() int {
		return call(syscall.SYS_PPOLL, ptr(one()), 1, ptr(&timespec{sec: 5}), 0, 8)
	}, nothing)
	during("select", func() int {
		var set [16]uint64
		set[p[0]/64] = 1 << (p[0] % 64)
		return call(syscall.SYS_SELECT, uintptr(p[0]+1), ptr(&set), 0, 0, ptr(&timespec{sec: 5}))
	}, nothing)

	ep, _ := syscall.EpollCreate1(0)
	syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, p[0], &syscall.EpollEvent{Events: syscall.EPOLLIN})
	var ev [4]syscall.EpollEvent
	var none uint64
	usr1 := uint64(1) << (syscall.SIGUSR1 - 1)
	during("epoll_wait", func() int { return call(syscall.SYS_EPOLL_WAIT, uintptr(ep), ptr(&ev), 4, 5000) }, nothing)
	during("epoll_pwait", func() int {
		return call(syscall.SYS_EPOLL_PWAIT, uintptr(ep), ptr(&ev), 4, ^uintptr(0), ptr(&none), 8)
	}, nothing)
	during("epoll_pwait that blocks it", func() int {
		return call(syscall.SYS_EPOLL_PWAIT, uintptr(ep), ptr(&ev), 4, 400, ptr(&usr1), 8)
	}, nothing)
}

func restartSignals() {
	var none uint64
	other := uint64(1) << 39
	during("rt_sigsuspend", func() int { return call(syscall.SYS_RT_SIGSUSPEND, ptr(&none), 8) }, nothing)
	during("pause", func() int { return call(syscall.SYS_PAUSE) }, nothing)
	during("rt_sigtimedwait", func() int {
		return call(syscall.SYS_RT_SIGTIMEDWAIT, ptr(&other), 0, ptr(&timespec{sec: 5}), 8)
	}, nothing)
}

func restartFiles() {
	var p [2]int
	fact("pipe", syscall.Pipe(p[:]) == nil)
	buf := make([]byte, 1<<20)
	during("read", func() int { return call(syscall.SYS_READ, uintptr(p[0]), ptr(&buf[0]), 10) },
		func() { syscall.Write(p[1], []byte{1}) })
	during("write", func() int { return call(syscall.SYS_WRITE, uintptr(p[1]), ptr(&buf[0]), 1<<20) }, nothing)

	f, err := os.CreateTemp("", "restart")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(f.Name())
	g, _ := os.Open(f.Name())
	syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	during("flock", func() int { return call(syscall.SYS_FLOCK, g.Fd(), syscall.LOCK_EX) },
		func() { syscall.Flock(int(f.Fd()), syscall.LOCK_UN) })
}

func restartSockets() {
	s, _ := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	syscall.Bind(s, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	syscall.Listen(s, 5)
	address, _ := syscall.Getsockname(s)
	dial := func() int {
		x, _ := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		syscall.Connect(x, address)
		return x
	}
	during("accept", func() int {
		return done("accept4", call(syscall.SYS_ACCEPT4, uintptr(s), 0, 0, 0)) >> 20
	}, func() { dial() })
	x := dial()
	y, _, _ := syscall.Accept(s)
	var b [10]byte
	during("recvfrom", func() int { return call(syscall.SYS_RECVFROM, uintptr(x), ptr(&b), 10) },
		func() { syscall.Write(y, []byte{1}) })
}
