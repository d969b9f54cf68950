package main

import (
	"context"
	"fmt"
	"sync"
	"time"

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
