package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"gosolo/progs/prog"
)

func clockMain(args []string) {
	n := prog.Int(args, 0, 5)
	const period = 200 * time.Millisecond
	start := time.Now()
	ticker := time.NewTicker(period)
	for i := 1; i <= n; i++ {
		<-ticker.C
		early := time.Duration(i)*period - time.Since(start)
		prog.Check(early <= 0, "tick %d came %v early", i, early)
		fmt.Println("tick", i)
	}
}

// timersMain: sleeps and timers of many lengths never end early.
func timersMain([]string) {
	var wg sync.WaitGroup
	for _, d := range []time.Duration{0, 1, 1_000, 10_000, 50_000, 100_000, 500_000, 999_999, 1_000_000,
		1_000_001, 2_500_000, 10_000_000, 33_333_333, 150_000_000} {
		start := time.Now()
		time.Sleep(d)
		prog.Check(time.Since(start) >= d, "a sleep of %v ended after %v", d, time.Since(start))
		for i := 0; i < 8; i++ {
			wg.Add(1)
			start := time.Now()
			time.AfterFunc(d, func() {
				prog.Check(time.Since(start) >= d, "a timer of %v fired after %v", d, time.Since(start))
				wg.Done()
			})
		}
	}
	wg.Wait()
	fmt.Println("none early")

	t := time.AfterFunc(50*time.Millisecond, func() { fmt.Println("a stopped timer fired") })
	fmt.Println("stopped", t.Stop())
	time.Sleep(100 * time.Millisecond)
}

func contextMain([]string) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	select {
	case <-ctx.Done():
		fmt.Println(ctx.Err(), time.Since(start) >= 100*time.Millisecond)
	case <-time.After(30 * time.Second):
		fmt.Println("no timeout")
	}
	ctx, cancel = context.WithCancel(context.Background())
	child, cancelChild := context.WithTimeout(ctx, time.Hour)
	defer cancelChild()
	time.AfterFunc(10*time.Millisecond, cancel)
	<-child.Done()
	fmt.Println(child.Err())
}

func zonesMain([]string) {
	at := time.Date(2024, 7, 14, 15, 9, 26, 0, time.UTC)
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata",
		"Australia/Lord_Howe", "Nowhere/At_All"} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(at.In(loc), at.In(loc).IsDST())
	}
}

// monotonicMain: time never goes back, seen from many goroutines at once.
func monotonicMain([]string) {
	var wg sync.WaitGroup
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			last := time.Now()
			for j := 0; j < 50_000; j++ {
				now := time.Now()
				prog.Check(!now.Before(last), "time went back by %v", last.Sub(now))
				last = now
			}
		}()
	}
	ch := make(chan time.Time)
	go func() {
		for i := 0; i < 2_000; i++ {
			ch <- time.Now()
		}
		close(ch)
	}()
	for sent := range ch {
		prog.Check(!time.Now().Before(sent), "a value arrived before it was sent")
	}
	wg.Wait()
	fmt.Println("never back")
}

// nowMain prints the time, for a test that knows what it is.
func nowMain([]string) { fmt.Println(time.Now().UnixMilli()) }

// clockWatchMain tells both clocks until its input ends, and that monotonic time never went back.
func clockWatchMain([]string) {
	go func() {
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	last := time.Now()
	for next := last; ; {
		now := time.Now()
		prog.Check(!now.Before(last), "time went back by %v", last.Sub(now))
		last = now
		if !now.Before(next) {
			fmt.Println("wall", now.UnixMilli())
			next = now.Add(100 * time.Millisecond)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// clockSetMain sets the wall clock forward by an hour. Whoever waits for a time half an hour ahead is
// awake then; who waits for half an hour to pass is not.
func clockSetMain([]string) {
	const ahead = 1800
	type timespec struct{ sec, nsec int64 }
	ptr := func(p unsafe.Pointer) uintptr { return uintptr(p) }
	var now syscall.Timespec
	clock := func(number, a, b, c, d uintptr) syscall.Errno {
		_, _, e := syscall.Syscall6(number, a, b, c, d, 0, 0)
		return e
	}
	clock(syscall.SYS_CLOCK_GETTIME, 0, ptr(unsafe.Pointer(&now)), 0, 0)
	until := &timespec{now.Sec + ahead, now.Nsec}
	done := make(chan string)
	go func() {
		e := clock(syscall.SYS_CLOCK_NANOSLEEP, 0, 1, ptr(unsafe.Pointer(until)), 0)
		done <- fmt.Sprint("clock_nanosleep ", e == 0)
	}()
	go func() {
		var word uint32
		_, _, e := syscall.Syscall6(syscall.SYS_FUTEX, ptr(unsafe.Pointer(&word)), 9|128|256, 0, ptr(unsafe.Pointer(until)), 0, 1)
		done <- fmt.Sprint("futex ", e)
	}()
	timerfd := func(name string, flags uintptr) {
		fd, _, _ := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, 0, 0, 0)
		clock(syscall.SYS_TIMERFD_SETTIME, fd, flags, ptr(unsafe.Pointer(&[2]timespec{{}, *until})), 0)
		_, err := syscall.Read(int(fd), make([]byte, 8))
		done <- fmt.Sprint(name, " ", err)
	}
	go timerfd("timerfd", 1)
	go timerfd("timerfd, cancelled", 3)
	go func() {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGUSR1)
		event := struct {
			value         uint64
			signo, notify int32
			pad           [12]int32
		}{signo: int32(syscall.SIGUSR1)}
		var id int32
		clock(syscall.SYS_TIMER_CREATE, 0, ptr(unsafe.Pointer(&event)), ptr(unsafe.Pointer(&id)), 0)
		clock(syscall.SYS_TIMER_SETTIME, uintptr(id), 1, ptr(unsafe.Pointer(&[2]timespec{{}, *until})), 0)
		done <- fmt.Sprint("timer ", <-c)
	}()
	relative := make(chan bool)
	go func() {
		clock(syscall.SYS_NANOSLEEP, ptr(unsafe.Pointer(&timespec{ahead, 0})), 0, 0, 0)
		close(relative)
	}()
	time.Sleep(100 * time.Millisecond)
	before := time.Now()
	fmt.Println("set", clock(syscall.SYS_CLOCK_SETTIME, 0, ptr(unsafe.Pointer(&timespec{now.Sec + 3600, 0})), 0, 0) == 0)
	var lines []string
	for i := 0; i < 5; i++ {
		lines = append(lines, <-done)
	}
	sort.Strings(lines)
	fmt.Println(strings.Join(lines, "\n"))
	fmt.Println("an hour by the wall", time.Now().Round(0).Sub(before.Round(0)) > 59*time.Minute)
	fmt.Println("not by the monotonic clock", time.Since(before) < 10*time.Minute)
	select {
	case <-relative:
		fmt.Println("a relative sleep ended")
	default:
	}
}
