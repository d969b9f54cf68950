package main

import (
	"encoding/binary"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Signals: sent, blocked, waited for, handled, and what they do to calls.
var signalChecks = slices.Concat(signalSendChecks, signalWaitChecks, signalHandlerChecks,
	signalInterruptChecks, signalRuntimeChecks, signalCancelChecks)

// Actions; and signals sent, queued and pending.
var signalSendChecks = []check{
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
		onOwnThread(func() {
			block(syscall.SIGURG) // until the thread ends, with what is pending for it
			f(t)
		})
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

// takeAgain is take, however often one of the runtime's own signals comes between.
func takeAgain(set uint64, info *siginfo, d time.Duration) (s syscall.Signal, e syscall.Errno) {
	e = again(func() syscall.Errno {
		s, e = take(set, info, d)
		return e
	})
	return s, e
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
