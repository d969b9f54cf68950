// Micro times what issues of scheduling and memory show in: each line it prints is "name value
// unit". Arguments name what to run (default: all).
package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sort"
	"time"
)

var table = []struct {
	name string
	run  func()
}{
	{"sieve", sieve}, {"trees", trees}, {"chan-pingpong", chanPingPong}, {"thread-pingpong", threadPingPong},
	{"futex-wake", futexWake}, {"mutex", mutexContention}, {"thread", threads}, {"null-call", nullCall},
	{"time-now", timeNow}, {"page-touch", pageTouch},
}

func main() {
	wanted := map[string]bool{}
	for _, a := range os.Args[1:] {
		wanted[a] = true
	}
	fmt.Println("cpus", runtime.NumCPU())
	for _, t := range table {
		if len(wanted) == 0 || wanted[t.name] {
			t.run()
		}
	}
	fmt.Println("micro: done")
}

// perOp prints the median of five runs of n operations each, in nanoseconds an operation.
func perOp(name string, n int, f func(n int)) {
	var v []float64
	for i := 0; i < 5; i++ {
		start := time.Now()
		f(n)
		v = append(v, float64(time.Since(start).Nanoseconds())/float64(n))
	}
	sort.Float64s(v)
	fmt.Printf("%s %.1f ns\n", name, v[2])
}

// seconds prints how long f takes, at the best of three times.
func seconds(name string, f func()) {
	var v []float64
	for i := 0; i < 3; i++ {
		start := time.Now()
		f()
		v = append(v, time.Since(start).Seconds())
	}
	fmt.Printf("%s %.4f s\n", name, slices.Min(v))
}
