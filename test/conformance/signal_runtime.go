package main

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Signals as package os/signal and the runtime use them.
var signalRuntimeChecks = []check{
	{"pipe", signalPipe},
	{"notify", signalNotify},
	{"notify-many", signalNotifyMany},
	{"ignore-and-reset", signalIgnoreAndReset},
	{"process-wide-finds-a-thread", signalProcessWideFindsAThread},
	{"all-threads-in-calls", asRoot(signalAllThreadsInCalls)},
	{"tight-loop-preempted", signalTightLoopPreempted},
	{"storm", signalStorm},
}

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
