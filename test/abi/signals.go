package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

type sigaction struct{ handler, flags, restorer, mask uint64 }

type sigstack struct {
	sp    uint64
	flags int32
	pad   int32
	size  uint64
}

func action(sig int, set, old *sigaction) int {
	return call(syscall.SYS_RT_SIGACTION, uintptr(sig), ptr(set), ptr(old), 8)
}

func mask(how int, set, old *uint64) int {
	return call(syscall.SYS_RT_SIGPROCMASK, uintptr(how), ptr(set), ptr(old), 8)
}

func tgkill(pid, tid, sig int) int {
	return call(syscall.SYS_TGKILL, uintptr(pid), uintptr(tid), uintptr(sig))
}

func signals() {
	var old sigaction
	for _, sig := range []int{1, 2, 9, 11, 15, 19, 23, 33, 64} {
		show(fmt.Sprint("query ", sig), action(sig, nil, &old))
		fmt.Printf("  handler %v flags %#x mask %#x\n", old.handler > 1, old.flags, old.mask)
	}
	fresh := sigaction{handler: 1}
	for _, sig := range []int{0, 9, 19, 65} {
		show(fmt.Sprint("set ", sig), action(sig, &fresh, nil))
	}
	show("bad size", call(syscall.SYS_RT_SIGACTION, 1, 0, 0, 4))

	var before, now uint64
	show("mask", mask(0, nil, &before))
	fmt.Printf("  %#x\n", before)
	set := uint64(1) << (syscall.SIGUSR1 - 1)
	show("block", mask(0, &set, nil))
	show("mask", mask(0, nil, &now))
	fmt.Printf("  %#x\n", now)
	blocked()
	show("unblock", mask(1, &set, nil))
	everything := ^uint64(0)
	show("block all", mask(2, &everything, nil))
	show("mask", mask(0, nil, &now))
	fmt.Printf("  %#x\n", now) // KILL and STOP cannot be blocked
	show("restore", mask(2, &before, nil))
	show("bad how", mask(7, &before, nil))

	pid, tid := os.Getpid(), syscall.Gettid()
	show("self", tgkill(pid, tid, 0))
	show("no such thread", tgkill(pid, 1<<22-1, 0))
	show("bad signal", tgkill(pid, tid, 65))
	show("bad id", tgkill(pid, -1, 0))
	show("no such process", call(syscall.SYS_KILL, 1<<22-1, 0))

	var st sigstack
	show("altstack", call(syscall.SYS_SIGALTSTACK, 0, ptr(&st)))
	fmt.Println("  flags", st.flags, "size", st.size)
	show("too small", call(syscall.SYS_SIGALTSTACK, ptr(&sigstack{sp: 0x10000, size: 100}), 0))
	show("pause ends", interrupted())
}

// blocked: a signal sent while it is blocked stays pending and comes once.
func blocked() {
	c := make(chan os.Signal, 5)
	signal.Notify(c, syscall.SIGUSR1)
	defer signal.Stop(c)
	pid, tid := os.Getpid(), syscall.Gettid()
	for i := 0; i < 3; i++ {
		show("send blocked", tgkill(pid, tid, int(syscall.SIGUSR1)))
	}
	show("came while blocked", len(c))
	set := uint64(1) << (syscall.SIGUSR1 - 1)
	show("unblock", mask(1, &set, nil))
	time.Sleep(100 * time.Millisecond)
	show("came after", len(c))
}

// interrupted: a signal ends nanosleep with EINTR and the time that was left.
func interrupted() int {
	c := make(chan os.Signal, 5)
	signal.Notify(c, syscall.SIGUSR2)
	pid, tid := os.Getpid(), syscall.Gettid()
	var done atomic.Bool
	go func() {
		// Again and again: one may come when the thread is about to sleep.
		for time.Sleep(100 * time.Millisecond); !done.Load(); time.Sleep(100 * time.Millisecond) {
			tgkill(pid, tid, int(syscall.SIGUSR2))
		}
	}()
	defer done.Store(true)
	var left syscall.Timespec
	// A preemption signal may come first: sleep on with what is left until ours has come.
	request := syscall.Timespec{Sec: 20}
	r := 0
	for len(c) == 0 {
		r = call(syscall.SYS_NANOSLEEP, ptr(&request), ptr(&left))
		if r == 0 {
			return 0
		}
		request = left
		time.Sleep(20 * time.Millisecond)
	}
	fact("time left", left.Sec >= 10 && left.Sec < 20)
	return r
}
