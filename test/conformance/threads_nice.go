package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Niceness: each thread's own, kept, told, and acted upon.
var niceChecks = []check{
	{"nice-is-the-thread's-own", niceIsTheThreads},
	{"nice-is-inherited", niceIsInherited},
	{"nice-of-the-group", asRoot(niceOfTheGroup)},
	{"nice-arguments", niceArguments},
	{"nice-needs-a-right", asRoot(niceNeedsARight)},
	{"nice-gets-less", niceGetsLess},
	{"io-priority", asRoot(ioPriority)},
}

const ok = syscall.Errno(0)

func setNice(which, who, nice int) syscall.Errno {
	_, e := raw(syscall.SYS_SETPRIORITY, uintptr(which), uintptr(who), uintptr(nice))
	return e
}

// getNice returns the call's own form: 40 to 1.
func getNice(which, who int) int {
	n, e := raw(syscall.SYS_GETPRIORITY, uintptr(which), uintptr(who))
	if e != 0 {
		return -int(e)
	}
	return int(n)
}

// niceInProc returns the fields "priority" and "nice" of /proc/PID/task/TID/stat.
func niceInProc(t *T, tid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", tid))
	t.Must("stat", err)
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	return fields[15] + " " + fields[16]
}

func niceIsTheThreads(t *T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := getNice(syscall.PRIO_PROCESS, syscall.Gettid())
	onOwnThread(func() {
		tid := syscall.Gettid()
		for _, c := range []struct{ set, want int }{{7, 7}, {7, 7}, {18, 18}, {100, 19}, {1 << 30, 19}} {
			t.Want("setpriority", setNice(syscall.PRIO_PROCESS, 0, c.set), ok)
			t.Want("getpriority", getNice(syscall.PRIO_PROCESS, 0), 20-c.want)
			t.Want("by number", getNice(syscall.PRIO_PROCESS, tid), 20-c.want)
			t.Want("in /proc", niceInProc(t, tid), fmt.Sprintf("%d %d", 20+c.want, c.want))
		}
	})
	t.Want("another thread's", getNice(syscall.PRIO_PROCESS, 0), before)
}

func niceIsInherited(t *T) {
	onOwnThread(func() {
		t.Want("setpriority", setNice(syscall.PRIO_PROCESS, 0, 11), ok)
		t.Want("of a new thread", cloneAndAsk(t, syscall.SYS_GETPRIORITY), uintptr(20-11))
	})
}

// A group's niceness is that of all its threads, and the best of them when asked for.
func niceOfTheGroup(t *T) {
	syscall.Setpgid(0, 0) // nobody else's: a program that leads its session is refused, and has one
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t.Want("all", setNice(syscall.PRIO_PGRP, 0, 4), ok)
	defer func() { t.Want("all, back", setNice(syscall.PRIO_PGRP, 0, 0), ok) }()
	tasks, err := os.ReadDir("/proc/self/task")
	t.Must("tasks", err)
	for _, task := range tasks {
		var tid int
		fmt.Sscan(task.Name(), &tid)
		if n := getNice(syscall.PRIO_PROCESS, tid); n != 16 && n != -int(syscall.ESRCH) {
			t.Errorf("a thread's: %d, want 16", n)
		}
	}
	t.Want("the best of all", getNice(syscall.PRIO_PGRP, 0), 16)
	t.Want("one better", setNice(syscall.PRIO_PROCESS, 0, -3), ok)
	t.Want("the best, by number", getNice(syscall.PRIO_PGRP, syscall.Getpid()), 23)
}

func niceArguments(t *T) {
	const nobody = 1 << 30
	none := -int(syscall.ESRCH)
	t.Want("no such kind", setNice(3, 0, 0), syscall.EINVAL)
	t.Want("no such kind", setNice(-1, 0, 0), syscall.EINVAL)
	t.Want("no such kind to get", getNice(3, 0), -int(syscall.EINVAL))
	t.Want("no such thread", setNice(syscall.PRIO_PROCESS, nobody, 0), syscall.ESRCH)
	t.Want("no such group", setNice(syscall.PRIO_PGRP, nobody, 0), syscall.ESRCH)
	t.Want("no such user", setNice(syscall.PRIO_USER, nobody, 0), syscall.ESRCH)
	t.Want("no such thread to get", getNice(syscall.PRIO_PROCESS, nobody), none)
	t.Want("a negative one", getNice(syscall.PRIO_PROCESS, -1), none)
	t.Want("no such group to get", getNice(syscall.PRIO_PGRP, nobody), none)
	t.Want("no such user to get", getNice(syscall.PRIO_USER, nobody), none)
}

// Everybody may become nicer, but not take it back; and nobody changes another user's threads.
func niceNeedsARight(t *T) {
	var limit syscall.Rlimit
	const rlimitNice = 13
	_, e := call(syscall.SYS_PRLIMIT64, 0, rlimitNice, 0, ptr(&limit))
	t.Want("prlimit", e, ok)
	set := func(cur uint64) bool {
		_, e := call(syscall.SYS_PRLIMIT64, 0, rlimitNice, ptr(&syscall.Rlimit{Cur: cur, Max: max(cur, limit.Max)}), 0)
		if e == syscall.EPERM && cur > limit.Max && !mayRaiseLimits(t) {
			return false // a container's super-user
		}
		t.Want("prlimit, to set", e, ok)
		return e == ok
	}
	set(0)
	defer set(limit.Cur)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	other, may := syscall.Gettid(), make(chan bool)
	go func() { // the limit is changed by who still may
		<-may
		may <- set(18)
	}()
	onOwnThread(func() {
		t.Want("the super-user's", setNice(syscall.PRIO_PROCESS, 0, -5), ok)
		become(t, 1000, 1000)
		t.Want("another user's", setNice(syscall.PRIO_PROCESS, other, 10), syscall.EPERM)
		t.Want("nicer", setNice(syscall.PRIO_PROCESS, 0, 5), ok)
		t.Want("as nice", setNice(syscall.PRIO_PROCESS, 0, 5), ok)
		t.Want("less nice", setNice(syscall.PRIO_PROCESS, 0, 4), syscall.EACCES)
		may <- true
		if !<-may {
			return
		}
		t.Want("less nice than the limit", setNice(syscall.PRIO_PROCESS, 0, 1), syscall.EACCES)
		t.Want("the limit", setNice(syscall.PRIO_PROCESS, 0, 2), ok)
		t.Want("after all", getNice(syscall.PRIO_PROCESS, 0), 18)
	})
}

func mayRaiseLimits(t *T) bool {
	text, err := os.ReadFile("/proc/self/status")
	t.Must("status", err)
	_, after, _ := strings.Cut(string(text), "CapEff:")
	var effective uint64
	fmt.Sscanf(after, "%x", &effective)
	return effective>>24&1 != 0 // CAP_SYS_RESOURCE
}

func threadCPUTime() time.Duration {
	var ts syscall.Timespec
	const threadClock = 3
	raw(syscall.SYS_CLOCK_GETTIME, threadClock, ptr(&ts))
	return time.Duration(ts.Nano())
}

// Two threads that want one CPU: 19 steps are a factor of 69.
func niceGetsLess(t *T) {
	var got [2]time.Duration
	var wait sync.WaitGroup
	var ready atomic.Int32
	var stop atomic.Bool
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // else Go itself shares one thread's turn out
	all, n, _ := getAffinity(0)
	one := cpuSet{}
	for i := range all {
		if all[i] != 0 {
			one[i] = all[i] & -all[i]
			break
		}
	}
	for i := range got {
		wait.Add(1)
		go func() {
			defer wait.Done()
			runtime.LockOSThread() // and never unlocked
			_, e := call(syscall.SYS_SCHED_SETAFFINITY, 0, uintptr(n), ptr(&one))
			t.Want("sched_setaffinity", e, ok)
			t.Want("setpriority", setNice(syscall.PRIO_PROCESS, 0, 19*i), ok)
			ready.Add(1)
			for ready.Load() != 2 {
				raw(syscall.SYS_SCHED_YIELD)
			}
			start := threadCPUTime()
			for !stop.Load() {
			}
			got[i] = threadCPUTime() - start
		}()
	}
	time.Sleep(800 * time.Millisecond)
	stop.Store(true)
	wait.Wait()
	if got[0] < 4*got[1] {
		t.Errorf("%v and, much nicer, %v", got[0], got[1])
	}
}

// A priority of I/O is a thread's own, too: 13 bits below its class.
func ioPriority(t *T) {
	const (
		process, group    = 1, 2
		realtime          = 1 << 13
		bestEffort        = 2 << 13
		idle              = 3 << 13
		ioSet, ioGet      = syscall.SYS_IOPRIO_SET, syscall.SYS_IOPRIO_GET
		nobody            = 1 << 30
		fromNiceness0     = bestEffort | 4
		betterThanNobodys = realtime | 3
	)
	get := func(which, who uintptr) int {
		n, e := raw(ioGet, which, who)
		if e != 0 {
			return -int(e)
		}
		return int(n)
	}
	set := func(which, who, priority uintptr) syscall.Errno {
		_, e := raw(ioSet, which, who, priority)
		return e
	}
	t.Want("at first", get(process, 0), 0)
	for _, c := range []struct {
		priority uintptr
		e        syscall.Errno
	}{{bestEffort | 5, ok}, {betterThanNobodys, ok}, {idle, ok}, {0, ok}, {3, syscall.EINVAL}, {4 << 13, syscall.EINVAL}, {7 << 13, syscall.EINVAL}} {
		t.Want(fmt.Sprintf("set to %#x", c.priority), set(process, 0, c.priority), c.e)
		if c.e == ok {
			t.Want("is", get(process, uintptr(syscall.Gettid())), int(c.priority))
		}
	}
	t.Want("no such kind", set(0, 0, 0), syscall.EINVAL)
	t.Want("no such kind", set(4, 0, 0), syscall.EINVAL)
	t.Want("no such kind to get", get(0, 0), -int(syscall.EINVAL))
	t.Want("no such thread", set(process, nobody, bestEffort), syscall.ESRCH)
	t.Want("no such thread to get", get(process, nobody), -int(syscall.ESRCH))
	t.Want("a new priority", set(process, 0, bestEffort|6), ok)
	syscall.Setpgid(0, 0) // nobody else's
	t.Want("of the group: what niceness gives", get(group, 0), fromNiceness0)
	t.Want("better than others", set(process, 0, betterThanNobodys), ok)
	t.Want("of the group: the best", get(group, 0), betterThanNobodys)
	other := make(chan int)
	go func() { runtime.LockOSThread(); other <- syscall.Gettid(); <-other; runtime.UnlockOSThread() }()
	tid := uintptr(<-other)
	become(t, 1000, 1000)
	t.Want("another user's", set(process, tid, bestEffort|7), syscall.EPERM)
	t.Want("real-time", set(process, 0, realtime|3), syscall.EPERM)
	t.Want("idle", set(process, 0, idle), ok)
	other <- 0
}
