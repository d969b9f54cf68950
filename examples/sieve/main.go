// Sieve prints the first primes (100, or as many as its argument says) with one goroutine per
// prime, each a filter on a channel: the concurrent prime sieve.
//
//	gosolo run ./examples/sieve 500
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
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

func main() {
	count := 100
	if len(os.Args) > 1 {
		n, err := strconv.Atoi(os.Args[1])
		if err != nil || n < 0 {
			fmt.Fprintln(os.Stderr, "usage: sieve [primes]")
			os.Exit(2)
		}
		count = n
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	ch := make(chan int)
	go generate(ch)
	for i := 0; i < count; i++ {
		prime := <-ch
		fmt.Fprintln(out, prime)
		next := make(chan int)
		go filter(ch, next, prime)
		ch = next
	}
}
