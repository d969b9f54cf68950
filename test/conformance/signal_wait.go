package main

import (
	"os"
	"syscall"
	"time"
)

// Signals that are blocked, waited for, ignored.
var signalWaitChecks = []check{
	{"mask-arguments", onSignalThread(signalMaskArguments)},
	{"mask-is-of-the-thread", signalMaskIsOfTheThread},
	{"new-thread-inherits-mask", onSignalThread(signalNewThreadInheritsMask)},
	{"timedwait-times-out", onSignalThread(signalTimedwaitTimesOut)},
	{"timedwait-wakes", onSignalThread(signalTimedwaitWakes)},
	{"timedwait-interrupted", onSignalThread(signalTimedwaitInterrupted)},
	{"timedwait-default-ignored", onSignalThread(signalTimedwaitDefaultIgnored)},
	{"timedwait-process-wide", onSignalThread(signalTimedwaitProcessWide)},
	{"ignoring-drops", onSignalThread(signalIgnoringDrops)},
	{"default-ignored-vanish", onSignalThread(signalDefaultIgnoredVanish)},
	{"suspend", onSignalThread(signalSuspend)},
	{"mask-after-unblocking", onSignalThread(signalUnblockingDelivers)},
}

func signalMaskArguments(t *T) {
	all := ^uint64(0)
	var old uint64
	before := setMask(all)
	_, e := raw4(syscall.SYS_RT_SIGPROCMASK, 7, 0, ptr(&old), 8)
	t.Want("only asked, whatever how is", e, syscall.Errno(0))
	t.Want("SIGKILL and SIGSTOP cannot be blocked", old, all&^(bit(syscall.SIGKILL)|bit(syscall.SIGSTOP)))
	_, e = raw4(syscall.SYS_RT_SIGPROCMASK, 7, ptr(&all), 0, 8)
	t.Want("how", e, syscall.EINVAL)
	_, e = raw4(syscall.SYS_RT_SIGPROCMASK, 0, ptr(&all), 0, 4)
	t.Want("length", e, syscall.EINVAL)
	set := bit(sigRT1)
	raw4(syscall.SYS_RT_SIGPROCMASK, 1, ptr(&set), 0, 8)
	t.Want("unblocked", setMask(before)&bit(sigRT1), uint64(0))
}

func signalMaskIsOfTheThread(t *T) {
	onOwnThread(func() {
		block(sigRT1)
		other := make(chan uint64)
		go func() {
			var old uint64
			raw4(syscall.SYS_RT_SIGPROCMASK, 0, 0, ptr(&old), 8)
			other <- old
		}()
		t.Want("another thread's mask", <-other&bit(sigRT1), uint64(0))
	})
}

func signalNewThreadInheritsMask(t *T) {
	// withoutSignals blocks all but these two; the new thread asks for its pending set, which must be
	// empty although its creator has one pending.
	block(syscall.SIGUSR1)
	sendSelf(syscall.SIGUSR1)
	t.Want("gettid of a bare thread works", cloneAndAsk(t, syscall.SYS_GETTID) != uintptr(syscall.Gettid()), true)
	s, _ := take(bit(syscall.SIGUSR1), &siginfo{}, 0)
	t.Want("still pending for its creator", s, syscall.SIGUSR1)
}

func signalTimedwaitTimesOut(t *T) {
	block(syscall.SIGUSR1)
	for _, d := range []time.Duration{0, 100 * time.Microsecond, 3 * time.Millisecond} {
		notEarly(t, "rt_sigtimedwait", d, func() {
			_, e := take(bit(syscall.SIGUSR1), &siginfo{}, d)
			t.Want("error", e, syscall.EAGAIN)
		})
	}
	set := bit(syscall.SIGUSR1)
	_, e := raw4(syscall.SYS_RT_SIGTIMEDWAIT, ptr(&set), 0, ptr(&timespec{0, 1e9}), 8)
	t.Want("bad time", e, syscall.EINVAL)
	_, e = raw4(syscall.SYS_RT_SIGTIMEDWAIT, ptr(&set), 0, 0, 4)
	t.Want("length", e, syscall.EINVAL)
}

// later sends this thread a signal from another one, when it has had time to sleep.
func later(send func(pid, tid uintptr)) {
	pid, tid := uintptr(os.Getpid()), uintptr(syscall.Gettid())
	go func() {
		time.Sleep(5 * time.Millisecond)
		send(pid, tid)
	}()
}

func signalTimedwaitWakes(t *T) {
	block(sigRT1)
	later(func(pid, tid uintptr) { call(syscall.SYS_TGKILL, pid, tid, uintptr(sigRT1)) })
	s, e := take(bit(sigRT1), &siginfo{}, time.Minute)
	t.Want("error", e, syscall.Errno(0))
	t.Want("taken", s, sigRT1)
}

func signalTimedwaitInterrupted(t *T) {
	defer noteSignal(t, syscall.SIGUSR2, saRestart, 0)()
	block(sigRT1)
	later(func(pid, tid uintptr) { call(syscall.SYS_TGKILL, pid, tid, uintptr(syscall.SIGUSR2)) })
	_, e := take(bit(sigRT1), &siginfo{}, time.Minute)
	t.Want("error", e, syscall.EINTR)
	t.Want("handled", runs(), uint64(1))
}

func signalTimedwaitDefaultIgnored(t *T) {
	var old sigaction
	rtSigaction(syscall.SIGWINCH, &sigaction{}, &old)
	defer rtSigaction(syscall.SIGWINCH, &old, nil)
	block(syscall.SIGWINCH)
	sendSelf(syscall.SIGWINCH)
	s, _ := take(bit(syscall.SIGWINCH), &siginfo{}, 0)
	t.Want("pending before", s, syscall.SIGWINCH)
	later(func(pid, tid uintptr) { call(syscall.SYS_TGKILL, pid, tid, uintptr(syscall.SIGWINCH)) })
	s, e := take(bit(syscall.SIGWINCH), &siginfo{}, time.Minute)
	t.Want("error", e, syscall.Errno(0))
	t.Want("sent during the wait", s, syscall.SIGWINCH)
}

func signalTimedwaitProcessWide(t *T) {
	// SIGUSR1 for the process: this thread waits for it, the others have a handler.
	defer noteSignal(t, syscall.SIGUSR1, saRestart, 0)()
	block(syscall.SIGUSR1)
	later(func(pid, _ uintptr) { call(syscall.SYS_KILL, pid, uintptr(syscall.SIGUSR1)) })
	s, e := takeAgain(bit(syscall.SIGUSR1), &siginfo{}, 200*time.Millisecond)
	if got := runs(); (s == syscall.SIGUSR1) == (got == 1) || got > 1 {
		t.Errorf("taken by the wait: %v (%v), by a handler: %d", s, e, got)
	}
}

func signalIgnoringDrops(t *T) {
	var old sigaction
	block(sigRT1)
	for i := 0; i < 3; i++ {
		sendSelf(sigRT1)
	}
	rtSigaction(sigRT1, &sigaction{handler: 1}, &old)
	rtSigaction(sigRT1, &old, nil)
	_, e := take(bit(sigRT1), &siginfo{}, 0)
	t.Want("dropped", e, syscall.EAGAIN)
	rtSigaction(sigRT1, &sigaction{handler: 1}, nil)
	sendSelf(sigRT1)
	s, _ := take(bit(sigRT1), &siginfo{}, 0)
	t.Want("ignored, but blocked: pending", s, sigRT1)
	rtSigaction(sigRT1, &old, nil)
}

func signalDefaultIgnoredVanish(t *T) {
	for _, s := range []syscall.Signal{syscall.SIGCHLD, syscall.SIGURG, syscall.SIGWINCH, syscall.SIGCONT} {
		var old sigaction
		rtSigaction(s, &sigaction{}, &old)
		t.Want("sent", sendSelf(s), syscall.Errno(0))
		rtSigaction(s, &old, nil)
	}
}

func signalSuspend(t *T) {
	defer noteSignal(t, syscall.SIGUSR2, saRestart, bit(sigRT2))()
	block(syscall.SIGUSR2, syscall.SIGURG)
	var before, after uint64
	raw4(syscall.SYS_RT_SIGPROCMASK, 0, 0, ptr(&before), 8)
	sendSelf(syscall.SIGUSR2)
	set := bit(sigRT1) | bit(syscall.SIGURG)
	_, e := raw(syscall.SYS_RT_SIGSUSPEND, ptr(&set), 8)
	t.Want("error", e, syscall.EINTR)
	t.Want("handled", runs(), uint64(1))
	t.Want("mask in the handler", handlerMask, bit(sigRT1)|bit(sigRT2)|bit(syscall.SIGUSR2)|bit(syscall.SIGURG))
	raw4(syscall.SYS_RT_SIGPROCMASK, 0, 0, ptr(&after), 8)
	t.Want("mask after", after, before)
	_, e = raw(syscall.SYS_RT_SIGSUSPEND, ptr(&set), 4)
	t.Want("length", e, syscall.EINVAL)
}

func signalUnblockingDelivers(t *T) {
	defer noteSignal(t, syscall.SIGUSR2, 0, 0)()
	old := setMask(bit(syscall.SIGUSR2))
	sendSelf(syscall.SIGUSR2)
	t.Want("while blocked", runs(), uint64(0))
	setMask(old)
	t.Want("at once when unblocked", runs(), uint64(1))
}
