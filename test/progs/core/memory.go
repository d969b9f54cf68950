package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"gosolo/progs/prog"
)

// node is a tree with a checksum in each node, so that a wrong page shows.
type node struct {
	left, right *node
	sum         uint64
}

func build(depth int, seed uint64) *node {
	n := &node{sum: seed * 0x9e3779b97f4a7c15}
	if depth > 0 {
		n.left, n.right = build(depth-1, seed*2), build(depth-1, seed*2+1)
	}
	return n
}

func (n *node) check(seed uint64) int {
	prog.Check(n.sum == seed*0x9e3779b97f4a7c15, "node %d holds %#x", seed, n.sum)
	if n.left == nil {
		return 1
	}
	return 1 + n.left.check(seed*2) + n.right.check(seed*2+1)
}

// churnMain allocates many times what the limit allows, with a live set checked at the end.
func churnMain(args []string) {
	limit := int64(48 << 20)
	debug.SetMemoryLimit(limit)
	debug.SetGCPercent(-1) // only the limit makes it collect
	live := build(15, 1)
	ring := make([][]byte, 64)
	for total := 0; total < prog.Int(args, 0, 400)<<20; {
		size := 1<<10 + total%97_331
		b := make([]byte, size)
		for i := 0; i < size; i += 509 {
			prog.Check(b[i] == 0, "new memory holds %#x at %d", b[i], i)
			b[i] = 0xa5
		}
		ring[total%len(ring)] = b
		total += size
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Println("nodes", live.check(1), "collected", m.NumGC > 3)
	fmt.Println("within limit", int64(m.Sys-m.HeapReleased) < limit*2)
}

// largeMain allocates large blocks of many sizes; every byte is zero at first and holds at last.
func largeMain([]string) {
	for round := 0; round < 3; round++ {
		var blocks [][]byte
		for i := 0; i < 6; i++ {
			b := make([]byte, (1<<20)<<i/2+i*4097)
			for j := range b {
				if b[j] != 0 {
					prog.Check(false, "block %d holds %#x at %d", i, b[j], j)
				}
			}
			prog.Pattern(b, uint64(i))
			blocks = append(blocks, b)
		}
		h := uint64(0)
		for _, b := range blocks {
			h ^= prog.Sum(b)
		}
		fmt.Printf("round %d %#x\n", round, h)
		blocks = nil
		debug.FreeOSMemory()
	}
}

func mapsMain([]string) {
	m := map[string]int{}
	for i := 0; i < 200_000; i++ {
		m[fmt.Sprint("key", i)] = i
	}
	for i := 0; i < 200_000; i += 2 {
		delete(m, fmt.Sprint("key", i))
	}
	sum := 0
	for _, v := range m {
		sum += v
	}
	fmt.Println(len(m), sum)
}

// scavengeMain gives memory back and takes it again: what comes back must be zero. A kernel that
// ignores MADV_DONTNEED corrupts the heap here.
func scavengeMain([]string) {
	for round := 0; round < 10; round++ {
		var keep [][]byte
		for i := 0; i < 100; i++ {
			b := make([]byte, 100_000+i*1000)
			for j := range b {
				if b[j] != 0 {
					prog.Check(false, "round %d: new memory holds %#x", round, b[j])
				}
				b[j] = 0x5a
			}
			keep = append(keep, b)
		}
		runtime.KeepAlive(keep)
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Println("released", m.HeapReleased > 1<<20)
}

func finalizerMain([]string) {
	done := make(chan int, 10)
	for i := 0; i < 10; i++ {
		p := &node{sum: uint64(i)}
		runtime.SetFinalizer(p, func(*node) { done <- 1 })
	}
	ran := 0
	for deadline := time.Now().Add(20 * time.Second); ran < 10 && time.Now().Before(deadline); {
		runtime.GC()
		select {
		case <-done:
			ran++
		case <-time.After(10 * time.Millisecond):
		}
	}
	fmt.Println("finalized", ran)
}

// giveBackMain fills N MiB, gives them back, and fills them again, which must read as zero first;
// between the steps it says where it is and waits for a line.
func giveBackMain(args []string) {
	size := prog.Int(args, 0, 150) << 20
	in := bufio.NewReader(os.Stdin)
	step := func(name string) {
		fmt.Println(name)
		_, err := in.ReadString('\n')
		prog.Must(err)
	}
	fill := func() {
		b := make([]byte, size)
		for i := 0; i < size; i += 4096 {
			prog.Check(b[i] == 0 && b[i+4095] == 0, "new memory is not zero at %d", i)
			b[i], b[i+4095] = 0xa5, 0x5a
		}
	}
	step("empty")
	fill()
	step("full")
	debug.FreeOSMemory()
	step("free")
	fill()
	fmt.Println("full again")
}
