package main

import (
	"encoding/binary"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Signals: sent, blocked, waited for, handled, and what they do to calls.
var signalChecks = []check{
	{"action-arguments", signalActionArguments},
	{"action-reads-back", signalActionReadsBack},
	{"go-installs-its-own", signalGoInstallsItsOwn},
	{"kill-arguments", signalKillArguments},
	{"tgkill-arguments", signalTgkillArguments},
	{"info-of-tgkill", onSignalThread(signalInfoOfTgkill)},
	{"info-of-kill", signalInfoOfKill},
	{"info-of-sigqueue", onSignalThread(signalInfoOfSigqueue)},
	{"sigqueue-arguments", onSignalThread(signalSigqueueArguments)},
	{"standard-ones-merge", onSignalThread(signalStandardOnesMerge)},
	{"real-time-ones-queue", onSignalThread(signalRealTimeOnesQueue)},
	{"lowest-first", onSignalThread(signalLowestFirst)},
	{"pending", onSignalThread(signalPending)},
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
	{"handler-mask", onSignalThread(signalHandlerMask)},
	{"handler-deferred", onSignalThread(signalHandlerDeferred)},
	{"handler-nodefer", onSignalThread(signalHandlerNodefer)},
	{"handler-resethand", onSignalThread(signalHandlerResethand)},
	{"handler-on-own-stack", onSignalThread(signalHandlerOnOwnStack)},
	{"altstack-arguments", onSignalThread(signalAltstackArguments)},
	{"altstack-autodisarm", onSignalThread(signalAltstackAutodisarm)},
	{"mask-after-unblocking", onSignalThread(signalUnblockingDelivers)},
	{"restarted-calls", signalRestartedCalls},
	{"interrupted-calls", signalInterruptedCalls},
	{"never-restarted-calls", signalNeverRestartedCalls},
	{"sleep-tells-the-rest", signalSleepTellsTheRest},
	{"pipe", signalPipe},
	{"notify", signalNotify},
	{"notify-many", signalNotifyMany},
	{"ignore-and-reset", signalIgnoreAndReset},
	{"process-wide-finds-a-thread", signalProcessWideFindsAThread},
	{"all-threads-in-calls", asRoot(signalAllThreadsInCalls)},
	{"tight-loop-preempted", signalTightLoopPreempted},
	{"storm", signalStorm},
}

const (
	sigRT1, sigRT2   = syscall.Signal(40), syscall.Signal(41)
	siTkill, siQueue = -6, -1
)

var (
	handlerRuns, handlerNest, handlerRunsInside uint64
	handlerMask                                 uint64
	handlerInfo                                 [128]byte
)

func noteHandlerAddress() uintptr

func bit(s syscall.Signal) uint64 { return 1 << (s - 1) }

func runs() uint64 { return atomic.LoadUint64(&handlerRuns) }

// noteSignal installs noteHandler until the check ends; more flags and a mask may be given.
func noteSignal(t *T, s syscall.Signal, flags, mask uint64) (restore func()) {
	var old sigaction
	_, restorer := probeAddresses()
	act := sigaction{uint64(noteHandlerAddress()), saSiginfo | saOnstack | saRestorer | flags, uint64(restorer), mask}
	if e := rtSigaction(s, &act, &old); e != 0 {
		t.Fatalf("rt_sigaction: %v", e)
	}
	atomic.StoreUint64(&handlerRuns, 0)
	handlerNest, handlerRunsInside = 0, 0
	return func() { rtSigaction(s, &old, nil) }
}

var signalling sync.Mutex

// onSignalThread runs a check on a thread of its own, which ends with its mask and altstack.
func onSignalThread(f func(t *T)) func(t *T) {
	return func(t *T) {
		signalling.Lock()
		defer signalling.Unlock()
		onOwnThread(func() { f(t) })
	}
}

func setMask(set uint64) (old uint64) {
	raw4(syscall.SYS_RT_SIGPROCMASK, 2, ptr(&set), ptr(&old), 8)
	return old
}

func block(signals ...syscall.Signal) {
	var set, old uint64
	for _, s := range signals {
		set |= bit(s)
	}
	raw4(syscall.SYS_RT_SIGPROCMASK, 0, ptr(&set), ptr(&old), 8)
}

func sendSelf(s syscall.Signal) syscall.Errno {
	_, e := raw(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(syscall.Gettid()), uintptr(s))
	return e
}

type siginfo [128]byte

func (i *siginfo) int(offset int) int32 { return int32(binary.LittleEndian.Uint32(i[offset:])) }

// take waits for a signal of the set: its number or the error.
func take(set uint64, info *siginfo, d time.Duration) (syscall.Signal, syscall.Errno) {
	r, _, e := syscall.Syscall6(syscall.SYS_RT_SIGTIMEDWAIT, ptr(&set), ptr(info), ptr(spec(d)), 8, 0, 0)
	if e != 0 {
		return 0, e
	}
	return syscall.Signal(r), 0
}

// ------------------------------------------------------------------ actions
func signalActionArguments(t *T) {
	var act, old sigaction
	for _, s := range []syscall.Signal{0, -1, 65, 1 << 20} {
		t.Want("no such signal", rtSigaction(s, nil, &old), syscall.EINVAL)
	}
	t.Want("SIGKILL", rtSigaction(syscall.SIGKILL, &act, nil), syscall.EINVAL)
	t.Want("SIGSTOP", rtSigaction(syscall.SIGSTOP, &act, nil), syscall.EINVAL)
	t.Want("SIGKILL, only asked", rtSigaction(syscall.SIGKILL, nil, &old), syscall.Errno(0))
	t.Want("SIGKILL's action", old, sigaction{})
	_, e := call(syscall.SYS_RT_SIGACTION, 10, 0, ptr(&old), 16)
	t.Want("length of a set", e, syscall.EINVAL)
}

func signalActionReadsBack(t *T) {
	signalling.Lock()
	defer signalling.Unlock()
	var old, got sigaction
	_, restorer := probeAddresses()
	want := sigaction{uint64(noteHandlerAddress()), saSiginfo | saOnstack | saRestorer | saRestart | saNodefer | 2, uint64(restorer), ^uint64(0)}
	t.Want("set", rtSigaction(sigRT1, &want, &old), syscall.Errno(0))
	t.Want("get", rtSigaction(sigRT1, nil, &got), syscall.Errno(0))
	want.mask &^= bit(syscall.SIGKILL) | bit(syscall.SIGSTOP)
	t.Want("what was set, without SIGKILL and SIGSTOP in its mask", got, want)
	want.flags |= 0x400 // SA_UNSUPPORTED: a flag that no kernel has
	rtSigaction(sigRT1, &want, nil)
	rtSigaction(sigRT1, nil, &got)
	t.Want("an unknown flag is not kept", got.flags&0x400, uint64(0))
	rtSigaction(sigRT1, &old, nil)
}

func signalGoInstallsItsOwn(t *T) {
	for _, s := range []syscall.Signal{syscall.SIGSEGV, syscall.SIGURG, syscall.SIGPROF, syscall.SIGTERM, 33, 64} {
		var got sigaction
		t.Want("get", rtSigaction(s, nil, &got), syscall.Errno(0))
		t.Want("flags of Go's handlers", got.flags, uint64(saSiginfo|saOnstack|saRestorer|saRestart))
		t.Want("mask of Go's handlers", got.mask, ^(bit(syscall.SIGKILL) | bit(syscall.SIGSTOP)))
	}
}

// ------------------------------------------------------------------ sending
func signalKillArguments(t *T) {
	pid := os.Getpid()
	t.Want("signal 0", syscall.Kill(pid, 0), nil)
	t.Want("no such signal", syscall.Kill(pid, 65), syscall.EINVAL)
	t.Want("no such signal", syscall.Kill(pid, -1), syscall.EINVAL)
	t.Want("no such process", syscall.Kill(1<<22, 0), syscall.ESRCH)
	t.Want("no such group", syscall.Kill(-(1<<22), 0), syscall.ESRCH)
}

func signalTgkillArguments(t *T) {
	pid, tid := uintptr(os.Getpid()), uintptr(syscall.Gettid())
	for _, c := range []struct {
		what           string
		pid, tid, sign uintptr
		want           syscall.Errno
	}{
		{"signal 0", pid, uintptr(os.Getpid()), 0, 0}, {"no such signal", pid, pid, 65, syscall.EINVAL},
		{"process 0", 0, pid, 0, syscall.EINVAL}, {"thread 0", pid, 0, 0, syscall.EINVAL},
		{"thread -1", pid, ^uintptr(0), 0, syscall.EINVAL}, {"no such thread", pid, 1 << 22, 0, syscall.ESRCH},
		{"a thread of no such process", 1 << 22, tid, 0, syscall.ESRCH},
	} {
		_, e := call(syscall.SYS_TGKILL, c.pid, c.tid, c.sign)
		t.Want("tgkill, "+c.what, e, c.want)
	}
	_, e := call(syscall.SYS_TKILL, pid, 0)
	t.Want("tkill", e, syscall.Errno(0))
	_, e = call(syscall.SYS_TKILL, 0, 0)
	t.Want("tkill of 0", e, syscall.EINVAL)
}

func signalInfoOfTgkill(t *T) {
	block(syscall.SIGUSR1)
	t.Want("tgkill", sendSelf(syscall.SIGUSR1), syscall.Errno(0))
	var i siginfo
	s, e := take(bit(syscall.SIGUSR1), &i, 0)
	t.Want("taken", s, syscall.SIGUSR1)
	t.Want("error", e, syscall.Errno(0))
	t.Want("si_signo", i.int(0), int32(syscall.SIGUSR1))
	t.Want("si_errno", i.int(4), int32(0))
	t.Want("si_code", i.int(8), int32(siTkill))
	t.Want("si_pid", i.int(16), int32(os.Getpid()))
	t.Want("si_uid", i.int(20), int32(os.Getuid()))
	t.Want("the rest", [104]byte(i[24:]), [104]byte{})
}

func signalInfoOfKill(t *T) {
	signalling.Lock()
	defer signalling.Unlock()
	defer noteSignal(t, syscall.SIGUSR2, saRestart, ^uint64(0))()
	t.Must("kill", syscall.Kill(os.Getpid(), syscall.SIGUSR2))
	for runs() == 0 {
		runtime.Gosched()
	}
	i := (*siginfo)(&handlerInfo)
	t.Want("si_code", i.int(8), int32(0))
	t.Want("si_pid", i.int(16), int32(os.Getpid()))
	t.Want("si_uid", i.int(20), int32(os.Getuid()))
}

// queue sends a signal with a value to this thread.
func queue(s syscall.Signal, code int32, value uint64) syscall.Errno {
	var i siginfo
	binary.LittleEndian.PutUint32(i[8:], uint32(code))
	binary.LittleEndian.PutUint32(i[16:], uint32(os.Getpid()))
	binary.LittleEndian.PutUint32(i[20:], 77)
	binary.LittleEndian.PutUint64(i[24:], value)
	_, e := raw4(syscall.SYS_RT_TGSIGQUEUEINFO, uintptr(os.Getpid()), uintptr(syscall.Gettid()), uintptr(s), ptr(&i))
	return e
}

func signalInfoOfSigqueue(t *T) {
	block(sigRT1)
	t.Want("sigqueue", queue(sigRT1, siQueue, 0x1122334455667788), syscall.Errno(0))
	var i siginfo
	s, _ := take(bit(sigRT1), &i, 0)
	t.Want("taken", s, sigRT1)
	t.Want("si_signo", i.int(0), int32(sigRT1))
	t.Want("si_code", i.int(8), int32(siQueue))
	t.Want("si_uid", i.int(20), int32(77))
	t.Want("si_value", binary.LittleEndian.Uint64(i[24:]), uint64(0x1122334455667788))
}

func signalSigqueueArguments(t *T) {
	pid, tid := uintptr(os.Getpid()), uintptr(syscall.Gettid())
	var i siginfo
	binary.LittleEndian.PutUint32(i[8:], ^uint32(0)) // SI_QUEUE
	_, e := raw(syscall.SYS_RT_SIGQUEUEINFO, pid, 0, ptr(&i))
	t.Want("signal 0", e, syscall.Errno(0))
	_, e = raw(syscall.SYS_RT_SIGQUEUEINFO, pid, 65, ptr(&i))
	t.Want("no such signal", e, syscall.EINVAL)
	_, e = raw(syscall.SYS_RT_SIGQUEUEINFO, 1<<22, 10, ptr(&i))
	t.Want("no such process", e, syscall.ESRCH)
	_, e = raw4(syscall.SYS_RT_TGSIGQUEUEINFO, pid, 0, 10, ptr(&i))
	t.Want("thread 0", e, syscall.EINVAL)
	binary.LittleEndian.PutUint32(i[8:], 0) // SI_USER: only the kernel says so
	_, e = raw(syscall.SYS_RT_SIGQUEUEINFO, pid, 0, ptr(&i))
	t.Want("si_code 0 to another thread", e, syscall.EPERM)
	_, e = raw4(syscall.SYS_RT_TGSIGQUEUEINFO, pid, tid, 0, ptr(&i))
	t.Want("si_code 0 to this thread", e, syscall.Errno(0))
}

func signalStandardOnesMerge(t *T) {
	block(syscall.SIGUSR1)
	for i := 0; i < 3; i++ {
		queue(syscall.SIGUSR1, siQueue, uint64(i))
	}
	var i siginfo
	s, _ := take(bit(syscall.SIGUSR1), &i, 0)
	t.Want("first", s, syscall.SIGUSR1)
	t.Want("the first one's value", i[24], byte(0))
	_, e := take(bit(syscall.SIGUSR1), &i, 0)
	t.Want("no second", e, syscall.EAGAIN)
}

func signalRealTimeOnesQueue(t *T) {
	const n = 50
	block(sigRT1)
	for i := uint64(0); i < n; i++ {
		t.Want("sigqueue", queue(sigRT1, siQueue, i), syscall.Errno(0))
	}
	for i := byte(0); i < n; i++ {
		var info siginfo
		s, _ := take(bit(sigRT1), &info, 0)
		if s != sigRT1 || info[24] != i {
			t.Fatalf("number %d: signal %d, value %d", i, s, info[24])
		}
	}
	_, e := take(bit(sigRT1), &siginfo{}, 0)
	t.Want("no more", e, syscall.EAGAIN)
}

func signalLowestFirst(t *T) {
	block(sigRT1, sigRT2, syscall.SIGUSR1, syscall.SIGUSR2)
	for _, s := range []syscall.Signal{sigRT2, syscall.SIGUSR2, sigRT1, syscall.SIGUSR1} {
		sendSelf(s)
	}
	all := bit(sigRT1) | bit(sigRT2) | bit(syscall.SIGUSR1) | bit(syscall.SIGUSR2)
	for _, want := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, sigRT1, sigRT2} {
		s, _ := take(all, &siginfo{}, 0)
		t.Want("in order", s, want)
	}
}

func signalPending(t *T) {
	block(syscall.SIGUSR1, sigRT1)
	sendSelf(syscall.SIGUSR1)
	sendSelf(sigRT1)
	var set uint64
	_, e := raw(syscall.SYS_RT_SIGPENDING, ptr(&set), 8)
	t.Want("rt_sigpending", e, syscall.Errno(0))
	t.Want("pending", set, bit(syscall.SIGUSR1)|bit(sigRT1))
	_, e = raw(syscall.SYS_RT_SIGPENDING, ptr(&set), 16)
	t.Want("length", e, syscall.EINVAL)
	take(bit(syscall.SIGUSR1)|bit(sigRT1), &siginfo{}, 0)
	raw(syscall.SYS_RT_SIGPENDING, ptr(&set), 8)
	t.Want("after the first was taken", set, bit(sigRT1))
	take(bit(sigRT1), &siginfo{}, 0)
}

// ------------------------------------------------------------------ masks
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

// ------------------------------------------------------------------ waiting
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
	s, e := take(bit(syscall.SIGUSR1), &siginfo{}, 200*time.Millisecond)
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

// ------------------------------------------------------------------ handlers
func signalHandlerMask(t *T) {
	defer noteSignal(t, syscall.SIGUSR2, 0, bit(sigRT1)|bit(syscall.SIGKILL))()
	old := setMask(bit(sigRT2))
	sendSelf(syscall.SIGUSR2)
	t.Want("in the handler", handlerMask, bit(sigRT1)|bit(sigRT2)|bit(syscall.SIGUSR2))
	t.Want("after it", setMask(old), bit(sigRT2))
}

func signalHandlerDeferred(t *T) {
	defer noteSignal(t, syscall.SIGUSR2, 0, 0)()
	handlerNest = 1
	sendSelf(syscall.SIGUSR2)
	t.Want("inside", handlerRunsInside, uint64(1))
	t.Want("in all", runs(), uint64(2))
}

func signalHandlerNodefer(t *T) {
	defer noteSignal(t, syscall.SIGUSR2, saNodefer, 0)()
	handlerNest = 3
	sendSelf(syscall.SIGUSR2)
	t.Want("inside", handlerRunsInside, uint64(4))
	t.Want("in all", runs(), uint64(4))
	t.Want("mask in the handler", handlerMask&bit(syscall.SIGUSR2), uint64(0))
}

func signalHandlerResethand(t *T) {
	defer noteSignal(t, syscall.SIGWINCH, saResethd, 0)()
	sendSelf(syscall.SIGWINCH)
	sendSelf(syscall.SIGWINCH)
	t.Want("in all", runs(), uint64(1))
	var got sigaction
	rtSigaction(syscall.SIGWINCH, nil, &got)
	t.Want("handler after", got.handler, uint64(0))
}

// signalHandlerOnOwnStack: without SA_ONSTACK the frame lies on the stack that was interrupted.
func signalHandlerOnOwnStack(t *T) {
	a := mapPages(t, 8, rw)
	defer unmap(t, a, 8)
	withHandler(t, func() {
		handler, restorer := probeAddresses()
		act := sigaction{uint64(handler), saSiginfo | saRestorer, uint64(restorer), ^uint64(0)}
		rtSigaction(syscall.SIGTRAP, &act, nil)
		probeHits = 0
		code := codePage(t, []byte{0x48, 0x89, 0xc4, 0xcc}) // mov %rax,%rsp; int3
		probe(code, &probeRegisters{rAX: uint64(a) + 8*page}, &probeRegisters{})
		unmap(t, code, 1)
	})
	t.Want("signals", probeHits, uint64(1))
	if sp := probeEntry[3]; sp < uint64(a) || sp >= uint64(a)+8*page {
		t.Errorf("RSP %#x is not on the stack at %#x", sp, a)
	}
	if top := uint64(a) + 8*page - 128; probeEntry[1]+128 > top || context(ucFPU)+512 > top {
		t.Errorf("the frame is in the red zone")
	}
}

func altstack(fresh, old *stackT) syscall.Errno {
	_, e := raw(syscall.SYS_SIGALTSTACK, ptr(fresh), ptr(old))
	return e
}

func signalAltstackArguments(t *T) {
	a := mapPages(t, 16, rw)
	defer unmap(t, a, 16)
	var gos, got stackT
	t.Want("get", altstack(nil, &gos), syscall.Errno(0))
	t.Want("Go's size", gos.size, uint64(32768))
	t.Want("Go's flags", gos.flags, int32(0))
	setMask(^uint64(0)) // no signal needs a stack meanwhile
	t.Want("too small", altstack(&stackT{a, 0, 2047}, nil), syscall.ENOMEM)
	t.Want("flags", altstack(&stackT{a, 8, 16 * page}, nil), syscall.EINVAL)
	t.Want("set", altstack(&stackT{a, 0, 16 * page}, &got), syscall.Errno(0))
	t.Want("the old one", got, gos)
	t.Want("off", altstack(&stackT{a, 2, 0}, &got), syscall.Errno(0))
	t.Want("the one before", got, stackT{a, 0, 16 * page})
	t.Want("get", altstack(nil, &got), syscall.Errno(0))
	t.Want("off is", got, stackT{0, 2, 0})
	t.Want("back", altstack(&gos, nil), syscall.Errno(0))
}

func signalAltstackAutodisarm(t *T) {
	const autodisarm = -1 << 31
	a := mapPages(t, 16, rw)
	defer unmap(t, a, 16)
	var gos, got stackT
	altstack(nil, &gos)
	old := setMask(^bit(syscall.SIGUSR2))
	restore := noteSignal(t, syscall.SIGUSR2, 0, 0)
	t.Want("set", altstack(&stackT{a, autodisarm, 16 * page}, nil), syscall.Errno(0))
	sendSelf(syscall.SIGUSR2)
	t.Want("handled", runs(), uint64(1))
	t.Want("get", altstack(nil, &got), syscall.Errno(0))
	t.Want("armed again after the handler", got, stackT{a, autodisarm, 16 * page})
	restore()
	altstack(&gos, nil)
	setMask(old)
}

// ------------------------------------------------------------------ as Go uses them
func signalPipe(t *T) {
	signalling.Lock()
	defer signalling.Unlock()
	defer noteSignal(t, syscall.SIGPIPE, saRestart, ^uint64(0))()
	var p [2]int
	t.Must("pipe", syscall.Pipe(p[:]))
	syscall.Close(p[0])
	_, err := syscall.Write(p[1], []byte("x"))
	t.Want("error", err, syscall.EPIPE)
	t.Want("handled before the call is over", runs(), uint64(1))
	t.Want("si_code", (*siginfo)(&handlerInfo).int(8), int32(0))
	syscall.Close(p[1])
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	t.Must("socketpair", err)
	syscall.Close(pair[0])
	_, err = syscall.Write(pair[1], []byte("x"))
	t.Want("error of a socket", err, syscall.EPIPE)
	t.Want("handled", runs(), uint64(2))
	err = syscall.Sendto(pair[1], []byte("x"), 0x4000 /* MSG_NOSIGNAL */, nil)
	if err != nil && err != syscall.EPIPE && err != syscall.EINVAL {
		t.Errorf("sendto: %v", err)
	}
	t.Want("none when not wanted", runs(), uint64(2))
	syscall.Close(pair[1])
}

func signalNotify(t *T) {
	c := make(chan os.Signal, 4)
	signal.Notify(c, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGHUP, sigRT2)
	defer signal.Reset(syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGHUP, sigRT2)
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGHUP, sigRT2} {
		t.Must("kill", syscall.Kill(os.Getpid(), s))
		t.Want("got", <-c, os.Signal(s))
	}
}

func signalNotifyMany(t *T) {
	const n = 200
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	defer signal.Reset(syscall.SIGUSR1)
	for i := 0; i < n; i++ {
		t.Must("kill", syscall.Kill(os.Getpid(), syscall.SIGUSR1))
		<-c
	}
}

func signalIgnoreAndReset(t *T) {
	signal.Ignore(syscall.SIGTERM)
	t.Want("ignored", signal.Ignored(syscall.SIGTERM), true)
	t.Must("kill", syscall.Kill(os.Getpid(), syscall.SIGTERM)) // would end the program
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	t.Must("kill", syscall.Kill(os.Getpid(), syscall.SIGTERM))
	t.Want("got", <-c, os.Signal(syscall.SIGTERM))
	signal.Reset(syscall.SIGTERM)
}

// signalProcessWideFindsAThread: a signal for the process goes to a thread that does not block it,
// however many block it.
func signalProcessWideFindsAThread(t *T) {
	var wg sync.WaitGroup
	stop := make(chan bool)
	for i := 0; i < 6; i++ {
		wg.Add(1)
		ready := make(chan bool)
		go onOwnThread(func() {
			block(syscall.SIGUSR1)
			close(ready)
			<-stop
			wg.Done()
		})
		<-ready
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	for i := 0; i < 20; i++ {
		t.Must("kill", syscall.Kill(os.Getpid(), syscall.SIGUSR1))
		<-c
	}
	signal.Reset(syscall.SIGUSR1)
	close(stop)
	wg.Wait()
}

// signalAllThreadsInCalls: AllThreadsSyscall reaches threads that sleep in calls.
func signalAllThreadsInCalls(t *T) {
	var p [2]int
	t.Must("pipe", syscall.Pipe(p[:]))
	var wg sync.WaitGroup
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			syscall.Read(p[0], make([]byte, 1))
		}()
	}
	time.Sleep(5 * time.Millisecond)
	for i := 0; i < 5; i++ {
		_, _, e := syscall.AllThreadsSyscall(syscall.SYS_PRCTL, 38 /* PR_SET_NO_NEW_PRIVS */, 1, 0)
		if e == syscall.ENOTSUP {
			t.Skipf("needs a program without cgo")
		}
		// prctl with rubbish in its other arguments may refuse; every thread must agree, or Go throws.
		if e != 0 && e != syscall.EINVAL {
			t.Errorf("AllThreadsSyscall: %v", e)
		}
	}
	syscall.Write(p[1], make([]byte, 4))
	wg.Wait()
	syscall.Close(p[0])
	syscall.Close(p[1])
}

var spinning atomic.Bool

//go:noinline
func spin(n *uint64) {
	for spinning.Load() {
		*n++
	}
}

func signalTightLoopPreempted(t *T) {
	var n uint64
	spinning.Store(true)
	done := make(chan bool)
	for i := 0; i < runtime.NumCPU()+1; i++ {
		go func() {
			for j := 0; spinning.Load(); j++ { // no call, no preemption point
			}
			done <- true
		}()
	}
	for i := 0; i < 3; i++ {
		runtime.GC() // stops the world
	}
	spinning.Store(false)
	for i := 0; i < runtime.NumCPU()+1; i++ {
		<-done
	}
	spin(&n)
}

// signalStorm: signals from all sides while threads compute: every sum is right.
func signalStorm(t *T) {
	signalling.Lock()
	defer signalling.Unlock()
	defer noteSignal(t, syscall.SIGUSR2, saRestart, 0)()
	var wg sync.WaitGroup
	tids := make(chan int, 4)
	var stop atomic.Bool
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			tids <- syscall.Gettid()
			for !stop.Load() {
				sum := 0.0
				for k := 1; k <= 20000; k++ {
					sum += float64(k)
				}
				if sum != 200010000 {
					t.Errorf("a sum is %v", sum)
				}
			}
		}()
	}
	var targets [4]int
	for i := range targets {
		targets[i] = <-tids
	}
	for i := 0; i < 2000; i++ {
		if e := tgkill(targets[i%4], uintptr(syscall.SIGUSR2)); e != 0 {
			t.Errorf("tgkill: %v", e)
		}
	}
	stop.Store(true)
	wg.Wait()
	if runs() == 0 {
		t.Errorf("no handler ran")
	}
}
