package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// sieve finds primes by trial division on every P at once: compute that shares nothing.
func sieve() {
	workers := runtime.GOMAXPROCS(0)
	seconds("sieve", func() {
		const limit = 2_000_000
		counts := make([]int, workers)
		var wg sync.WaitGroup
		for w := range counts {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for n := 3 + 2*w; n < limit; n += 2 * workers {
					if isPrime(n) {
						counts[w]++
					}
				}
			}()
		}
		wg.Wait()
		total := 1
		for _, c := range counts {
			total += c
		}
		if total != 148933 {
			fmt.Println("wrong: there are not", total, "primes")
			os.Exit(1)
		}
	})
}

func isPrime(n int) bool {
	for d := 3; d*d <= n; d += 2 {
		if n%d == 0 {
			return false
		}
	}
	return true
}

type node struct{ left, right *node }

func build(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{build(depth - 1), build(depth - 1)}
}

func (n *node) count() int {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.count() + n.right.count()
}

// trees builds and drops binary trees on every P: allocation and the collector's own workers.
func trees() {
	seconds("trees", func() {
		const depth, each = 12, 400
		long := build(depth + 2)
		var wg sync.WaitGroup
		work := make(chan int)
		for w := 0; w < runtime.GOMAXPROCS(0); w++ {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range work {
					if n := build(depth).count(); n != 1<<(depth+1)-1 {
						fmt.Println("wrong: a tree of", n, "nodes")
						os.Exit(1)
					}
				}
			}()
		}
		for i := 0; i < each; i++ {
			work <- i
		}
		close(work)
		wg.Wait()
		runtime.KeepAlive(long)
	})
}

func nullCall() {
	perOp("null-call", 100_000, func(n int) {
		for i := 0; i < n; i++ {
			syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
		}
	})
}

func timeNow() {
	perOp("time-now", 100_000, func(n int) {
		for i := 0; i < n; i++ {
			time.Now()
		}
	})
}

// pageTouch is the first write to a fresh page.
func pageTouch() {
	perOp("page-touch", 2_000, func(n int) {
		m, err := syscall.Mmap(-1, 0, n*4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			fmt.Println("mmap:", err)
			os.Exit(1)
		}
		for i := 0; i < n; i++ {
			m[i*4096] = 1
		}
		syscall.Munmap(m)
	})
}
