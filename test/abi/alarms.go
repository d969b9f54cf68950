package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// What signals carry, and the timers that send them. This thread blocks the signals and takes them
// with rt_sigtimedwait, so no handler is in the way.

type siginfo struct {
	signo, errno, code, _ int32
	a, b                  int32 // pid and uid, or timer and overrun
	value                 uint64
	_                     [96]byte
}

type sigevent struct {
	value                 uint64
	signo, notify, thread int32
	_                     [44]byte
}

type itimerspec struct{ interval, value timespec }

func bits(signals ...int) *uint64 {
	var v uint64
	for _, s := range signals {
		v |= 1 << (s - 1)
	}
	return &v
}

// take waits for sig. Go's preemption signal may end the wait: then once more.
func take(sig int, limit *timespec) (r int, i siginfo) {
	for r = -int(syscall.EINTR); r == -int(syscall.EINTR); {
		r = call(syscall.SYS_RT_SIGTIMEDWAIT, ptr(bits(sig)), ptr(&i), ptr(limit), 8)
	}
	return r, i
}

const usr1, queued, ticking = 10, 40, 41

func alarms() {
	show("block", mask(0, bits(usr1, queued, ticking), nil))
	alarmsWaiting()
	alarmsTimers()
	alarmsCPUTime()
	alarmsIntervals()
}

func alarmsWaiting() {
	pid, tid := os.Getpid(), syscall.Gettid()
	r, _ := take(usr1, &timespec{})
	show("none", r)
	start := time.Now()
	r, _ = take(usr1, &timespec{nsec: 30e6})
	show("none in time", r)
	fact("not early", time.Since(start) >= 30*time.Millisecond)
	show("bad time", call(syscall.SYS_RT_SIGTIMEDWAIT, ptr(bits(usr1)), 0, ptr(&timespec{nsec: 2e9}), 8))
	show("send", tgkill(pid, tid, usr1))
	var pending uint64
	show("pending", call(syscall.SYS_RT_SIGPENDING, ptr(&pending), 8))
	fact("it is", pending&*bits(usr1) != 0)
	r, i := take(usr1, &timespec{})
	show("taken", r)
	fmt.Println("  number", i.signo, "code", i.code)
	fact("sender", int(i.a) == pid)
	for k := uint64(1); k <= 3; k++ { // real-time signals queue up, with their values
		q := siginfo{signo: queued, code: -1, a: int32(pid), value: k << 33}
		show("queue", call(syscall.SYS_RT_TGSIGQUEUEINFO, uintptr(pid), uintptr(tid), queued, ptr(&q)))
	}
	for k := 0; k < 4; k++ {
		r, i = take(queued, &timespec{})
		show("taken", r)
		fmt.Println("  code", i.code, "value", i.value)
	}
}

func alarmsTimers() {
	var id int32
	var old itimerspec
	ev := sigevent{value: 77, signo: ticking, notify: 4, thread: int32(syscall.Gettid())}
	create := func(clock uintptr) int { return call(syscall.SYS_TIMER_CREATE, clock, ptr(&ev), ptr(&id)) }
	set := func(flags uintptr, t *itimerspec) int {
		return call(syscall.SYS_TIMER_SETTIME, uintptr(id), flags, ptr(t), ptr(&old))
	}
	get := func() int { return call(syscall.SYS_TIMER_GETTIME, uintptr(id), ptr(&old)) }
	show("create", create(1))
	start := time.Now()
	show("set", set(0, &itimerspec{timespec{nsec: 10e6}, timespec{nsec: 500e6}}))
	show("get", get())
	fmt.Println("  interval", old.interval)
	fact("running", old.value.sec == 0 && old.value.nsec > 0 && old.value.nsec <= 500e6)
	r, i := take(ticking, &timespec{sec: 5})
	fact("not early", time.Since(start) >= 500*time.Millisecond)
	show("taken", r)
	fmt.Println("  code", i.code, "value", i.value)
	fact("its timer", i.a == id)
	time.Sleep(100 * time.Millisecond)
	r, i = take(ticking, &timespec{sec: 5})
	show("taken", r)
	fact("overrun", i.b >= 5)
	show("stop", set(0, &itimerspec{}))
	take(ticking, &timespec{})
	show("get", get())
	fmt.Println("  left", old.value)
	show("set to a time long past", set(1, &itimerspec{value: timespec{sec: 1}}))
	r, i = take(ticking, &timespec{sec: 5})
	show("taken", r)
	show("bad time", set(0, &itimerspec{value: timespec{nsec: 1e9}}))
	show("delete", call(syscall.SYS_TIMER_DELETE, uintptr(id)))
	show("delete again", call(syscall.SYS_TIMER_DELETE, uintptr(id)))
	show("get", get())
	show("set", set(0, &itimerspec{}))
	show("bad clock", create(99))
	ev.notify = 99
	show("bad notification", create(1))
	ev.notify, ev.thread = 4, 1<<29
	show("bad thread", create(1))
	ev.thread, ev.signo = int32(syscall.Gettid()), 99
	show("bad signal", create(1))
}

// alarmsCPUTime: a timer on the thread's CPU time stands still while the thread sleeps.
func alarmsCPUTime() {
	var id int32
	ev := sigevent{value: 5, signo: ticking, notify: 4, thread: int32(syscall.Gettid())}
	show("create", call(syscall.SYS_TIMER_CREATE, 3, ptr(&ev), ptr(&id)))
	show("set", call(syscall.SYS_TIMER_SETTIME, uintptr(id), 0, ptr(&itimerspec{value: timespec{nsec: 100e6}}), 0))
	time.Sleep(150 * time.Millisecond)
	r, _ := take(ticking, &timespec{})
	show("asleep", r)
	for enough := threadTime() + 200e6; threadTime() < enough; {
	}
	r, i := take(ticking, &timespec{sec: 5})
	show("busy", r)
	fmt.Println("  code", i.code, "value", i.value)
	show("delete", call(syscall.SYS_TIMER_DELETE, uintptr(id)))
}

// threadTime is the CPU time of this thread in ns.
func threadTime() int64 {
	var used timespec
	call(syscall.SYS_CLOCK_GETTIME, 3, ptr(&used))
	return int64(used.sec)*1e9 + int64(used.nsec)
}

func alarmsIntervals() {
	type interval struct{ everySec, everyUsec, sec, usec int64 }
	var old interval
	show("setitimer", call(syscall.SYS_SETITIMER, 0, ptr(&interval{sec: 100}), ptr(&old)))
	fmt.Println("  was", old)
	show("getitimer", call(syscall.SYS_GETITIMER, 0, ptr(&old)))
	fact("running", old.sec >= 90 && old.sec <= 100)
	show("stop", call(syscall.SYS_SETITIMER, 0, ptr(&interval{}), 0))
	show("alarm", call(syscall.SYS_ALARM, 50))
	show("alarm off", call(syscall.SYS_ALARM, 0))
	show("alarm off again", call(syscall.SYS_ALARM, 0))
	show("bad timer", call(syscall.SYS_SETITIMER, 7, ptr(&interval{}), 0))
	show("bad time", call(syscall.SYS_SETITIMER, 0, ptr(&interval{usec: 1e6}), 0))
}
