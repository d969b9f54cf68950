package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gosolo/progs/prog"
	"gosolo/progs/registers"
)

func receive(c chan os.Signal) {
	select {
	case s := <-c:
		fmt.Println("got", s)
	case <-time.After(20 * time.Second):
		fmt.Println("no signal came")
	}
}

func signalSelfMain([]string) {
	c := make(chan os.Signal, 10)
	signal.Notify(c, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP)
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGHUP, syscall.SIGUSR2} {
		prog.Must(syscall.Kill(os.Getpid(), s))
		receive(c)
	}
	p, err := os.FindProcess(os.Getpid())
	prog.Must(err)
	prog.Must(p.Signal(syscall.SIGUSR1))
	receive(c)
	for i := 0; i < 50; i++ { // while every thread sleeps
		time.Sleep(time.Millisecond)
		prog.Must(syscall.Kill(os.Getpid(), syscall.SIGUSR1))
		<-c
	}
	fmt.Println("fifty more")
	signal.Stop(c)
	prog.Must(syscall.Kill(os.Getpid(), syscall.SIGWINCH)) // ignored by default
	prog.Must(syscall.Kill(os.Getpid(), 0))
	fmt.Println(syscall.Kill(os.Getpid(), 99))
}

// signalWaitMain says that it is ready, waits for SIGINT or SIGTERM, cleans up and exits 3.
func signalWaitMain([]string) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	fmt.Println("ready")
	receive(c)
	fmt.Println("cleaned up")
	os.Exit(3)
}

func signalIgnoreMain([]string) {
	signal.Ignore(syscall.SIGUSR1, syscall.SIGTERM)
	prog.Must(syscall.Kill(os.Getpid(), syscall.SIGUSR1))
	prog.Must(syscall.Kill(os.Getpid(), syscall.SIGTERM))
	time.Sleep(20 * time.Millisecond)
	fmt.Println("still here", signal.Ignored(syscall.SIGTERM))
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM) // and can be had again
	prog.Must(syscall.Kill(os.Getpid(), syscall.SIGTERM))
	receive(c)
}

// waitMain says that it is ready and waits for whatever comes, with no handler of its own.
func waitMain([]string) {
	fmt.Println("ready")
	time.Sleep(time.Hour)
}

// spin is told apart in a report by its name.
//
//go:noinline
func spin() {
	for {
	}
}

// deafMain takes SIGQUIT and goes on, with one goroutine that never rests.
func deafMain([]string) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGQUIT)
	fmt.Println("ready")
	go spin()
	time.Sleep(time.Hour)
}

// stubbornMain hears SIGINT and goes on.
func stubbornMain([]string) {
	c := make(chan os.Signal, 5)
	signal.Notify(c, os.Interrupt)
	fmt.Println("ready")
	for s := range c {
		fmt.Println("got", s)
	}
}

// registersMain runs assembly loops that hold known values in every general and vector register,
// on several threads, while another sends SIGURG to each of them as fast as it can.
func registersMain(args []string) {
	const workers = 3
	runtime.GOMAXPROCS(workers + 1)
	var stop atomic.Bool
	var wg, ready sync.WaitGroup
	tids := make([]int, workers)
	for w := range tids {
		wg.Add(1)
		ready.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			tids[w] = syscall.Gettid()
			ready.Done()
			for round := uint64(0); !stop.Load(); round++ {
				registers.Hold(uint64(w), round)
			}
		}()
	}
	ready.Wait()
	wg.Add(1)
	go func() { // calls and garbage meanwhile
		defer wg.Done()
		for !stop.Load() {
			sink = make([]byte, 50_000)
			syscall.Getppid()
			runtime.Gosched()
		}
	}()
	sent := 0
	end := time.Now().Add(time.Duration(prog.Int(args, 0, 1500)) * time.Millisecond)
	for time.Now().Before(end) || sent < 100 { // on a busy host this thread's turns are rare
		for _, tid := range tids {
			_, _, e := syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(tid), uintptr(syscall.SIGURG))
			prog.Check(e == 0, "tgkill: %v", e)
			sent++
		}
		time.Sleep(50 * time.Microsecond)
	}
	stop.Store(true)
	wg.Wait()
	fmt.Println("registers held")
}
