package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gosolo/progs/prog"
)

func generate(out chan<- int) {
	for i := 2; ; i++ {
		out <- i
	}
}

func filter(in <-chan int, out chan<- int, prime int) {
	for i := range in {
		if i%prime != 0 {
			out <- i
		}
	}
}

func sieveMain(args []string) {
	ch := make(chan int)
	go generate(ch)
	for i := 0; i < prog.Int(args, 0, 200); i++ {
		prime := <-ch
		fmt.Println(prime)
		next := make(chan int)
		go filter(ch, next, prime)
		ch = next
	}
}

var counter uint64

// spinForever has no call in its loop: only a signal can take the CPU from it.
func spinForever() {
	for {
		counter++
	}
}

// preemptMain collects garbage while goroutines spin; with one P it would wait for ever if the
// spinning goroutine could not be interrupted.
func preemptMain(args []string) {
	if n := prog.Int(args, 0, 0); n > 0 {
		runtime.GOMAXPROCS(n)
	}
	for i := 0; i < 2; i++ {
		go spinForever()
	}
	time.Sleep(time.Millisecond)
	for i := 0; i < 5; i++ {
		runtime.GC()
		fmt.Println("collected", i)
	}
	done := make(chan bool)
	go func() { done <- true }()
	fmt.Println("scheduled", <-done)
}

// goroutinesMain parks N goroutines at once, wakes them all, and passes a token through them.
func goroutinesMain(args []string) {
	n := prog.Int(args, 0, 10_000)
	var wg sync.WaitGroup
	var parked atomic.Int64
	gate := make(chan struct{})
	sum := make(chan int, 100)
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			parked.Add(1)
			<-gate
			time.Sleep(time.Duration(i%10) * time.Millisecond)
			sum <- i
		}()
	}
	for parked.Load() != int64(n) {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("parked", n, runtime.NumGoroutine() >= n)
	close(gate)
	go func() { wg.Wait(); close(sum) }()
	total := 0
	for v := range sum {
		total += v
	}
	fmt.Println("sum", total == n*(n-1)/2)

	first := make(chan int)
	in := first
	for i := 0; i < n; i++ {
		out := make(chan int)
		go func(in, out chan int) { out <- 1 + <-in }(in, out)
		in = out
	}
	first <- 0
	fmt.Println("chain", <-in)
}

// threadsMain starts N goroutines that each hold a thread, and ends them with the lock held, so
// that the threads exit too.
func threadsMain(args []string) {
	n := prog.Int(args, 0, 100)
	for round := 0; round < 3; round++ {
		var wg, ready sync.WaitGroup
		release := make(chan struct{})
		for i := 0; i < n; i++ {
			wg.Add(1)
			ready.Add(1)
			go func() {
				defer wg.Done()
				runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
				ready.Done()
				<-release
			}()
		}
		ready.Wait()
		close(release)
		wg.Wait()
		fmt.Println("round", round, n)
	}
}

func mutexMain(args []string) {
	const workers = 8
	n := prog.Int(args, 0, 20_000)
	var mu sync.Mutex
	var rw sync.RWMutex
	var wg sync.WaitGroup
	cond := sync.NewCond(&mu)
	a, b := 0, 0
	for i := 0; i < workers; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := 0; j < n; j++ {
				mu.Lock()
				a++
				mu.Unlock()
				if j%10 == 0 {
					rw.Lock()
					b++
					rw.Unlock()
				} else {
					rw.RLock()
					_ = b
					rw.RUnlock()
				}
			}
			cond.Broadcast()
		}()
	}
	mu.Lock()
	for a != workers*n {
		cond.Wait()
	}
	mu.Unlock()
	wg.Wait()
	fmt.Println(a, b)
}

// channelsMain passes values between goroutines that are locked to threads, so that each step is
// a wake-up of another thread, and selects among many.
func channelsMain(args []string) {
	n := prog.Int(args, 0, 3_000)
	ping, pong := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread()
		for v := range ping {
			pong <- v + 1
		}
		close(pong)
	}()
	runtime.LockOSThread()
	sum := 0
	for i := 0; i < n; i++ {
		ping <- i
		sum += <-pong
	}
	close(ping)
	_, open := <-pong
	runtime.UnlockOSThread()
	fmt.Println("ping-pong", sum == n*(n+1)/2, open)

	var in [4]chan int
	for i := range in {
		in[i] = make(chan int, i)
		go func() {
			for j := 0; j < n; j++ {
				in[i] <- j
			}
		}()
	}
	total := 0
	for i := 0; i < 4*n; i++ {
		select {
		case v := <-in[0]:
			total += v
		case v := <-in[1]:
			total += v
		case v := <-in[2]:
			total += v
		case v := <-in[3]:
			total += v
		}
	}
	fmt.Println("select", total == 4*n*(n-1)/2)
}

// spinMain holds the CPU for that many milliseconds and then ends.
func spinMain(args []string) {
	end := time.Now().Add(time.Duration(prog.Int(args, 0, 1000)) * time.Millisecond)
	for time.Now().Before(end) {
		counter++
	}
	fmt.Println("spun")
}
