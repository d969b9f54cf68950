// Stress is the guest programs that look for races in the kernel: each takes a size, checks what it
// does as it goes, and prints one line at the end. A lost wake-up shows as a hang.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"gosolo/progs/prog"
)

func main() {
	prog.Main(map[string]func([]string){
		"futex": futexMain, "memory": memoryMain, "threads": threadsMain,
		"channels": channelsMain, "timers": timersMain, "pollers": pollersMain,
		"pages": pagesMain, "affinity": affinityMain, "signals": signalsMain,
		"sleepers": sleepersMain, "cpus": cpusMain, "shares": sharesMain,
		"storm": stormMain, "hops": hopsMain, "sleep": sleepMain,
		"compute": computeMain, "profiled": profiledMain, "http": httpMain, "churn": churnMain,
		"badcalls": badcallsMain,
	})
}

func futex(word *uint32, op, value uintptr) {
	syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), op|128, value, 0, 0, 0)
}

// futexMain counts to N in turns: two threads sleep until the word has their parity.
func futexMain(args []string) {
	n := uint32(prog.Int(args, 0, 20_000))
	var word uint32
	count := func(parity uint32) {
		runtime.LockOSThread()
		for {
			v := atomic.LoadUint32(&word)
			switch {
			case v >= n:
				return
			case v%2 != parity:
				futex(&word, 0, uintptr(v))
			default:
				prog.Check(atomic.CompareAndSwapUint32(&word, v, v+1), "the word changed under its owner")
				futex(&word, 1, 1)
			}
		}
	}
	done := make(chan bool)
	go func() { count(1); close(done) }()
	count(0)
	<-done
	fmt.Println("counted to", word)
}

const (
	slots     = 64
	slotPages = 16
	slotBytes = slotPages * 4096
)

// slot is a part of a reservation that threads map, fill, drop, protect and unmap in turns.
type slot struct {
	sync.Mutex
	addr   uintptr
	mapped bool
	fill   [slotPages]byte // what each page holds
}

func (s *slot) page(i int) []byte {
	addr := s.addr + uintptr(i)*4096
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&addr)), 4096)
}

func (s *slot) check() {
	for i, want := range s.fill {
		p := s.page(i)
		for _, at := range []int{0, 1, 2047, 4095} {
			prog.Check(p[at] == want, "page %d of %#x holds %#x at %d, not %#x", i, s.addr, p[at], at, want)
		}
	}
}

func (s *slot) mmap(prot, flags uintptr) {
	r, _, e := syscall.Syscall6(syscall.SYS_MMAP, s.addr, slotBytes, prot, flags|syscall.MAP_ANON|syscall.MAP_PRIVATE, ^uintptr(0), 0)
	prog.Check(e == 0 && r == s.addr, "mmap of %#x: %#x %v", s.addr, r, e)
}

func (s *slot) call(what string, number, addr, length, arg uintptr) {
	_, _, e := syscall.Syscall(number, addr, length, arg)
	prog.Check(e == 0, "%s of %#x: %v", what, addr, e)
}

// step does one thing to the slot, which its caller has locked.
func (s *slot) step(r *rand.Rand) {
	if !s.mapped {
		s.mmap(syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_FIXED)
		s.mapped, s.fill = true, [slotPages]byte{}
	}
	s.check()
	first := r.Intn(slotPages)
	count := 1 + r.Intn(slotPages-first)
	addr, length := s.addr+uintptr(first)*4096, uintptr(count)*4096
	switch r.Intn(5) {
	case 0, 1:
		value := byte(1 + r.Intn(255))
		for i := first; i < first+count; i++ {
			p := s.page(i)
			for j := range p {
				p[j] = value
			}
			s.fill[i] = value
		}
	case 2:
		s.call("madvise", syscall.SYS_MADVISE, addr, length, syscall.MADV_DONTNEED)
		for i := first; i < first+count; i++ {
			s.fill[i] = 0
		}
	case 3:
		s.call("mprotect", syscall.SYS_MPROTECT, addr, length, syscall.PROT_READ)
		s.check()
		s.call("mprotect", syscall.SYS_MPROTECT, addr, length, syscall.PROT_READ|syscall.PROT_WRITE)
	case 4:
		s.mmap(syscall.PROT_NONE, syscall.MAP_FIXED|syscall.MAP_NORESERVE)
		s.mapped = false
		return
	}
	s.check()
}

// memoryMain lets 64 threads work on the slots of one reservation, N steps each.
func memoryMain(args []string) {
	n := prog.Int(args, 0, 100)
	base, _, e := syscall.Syscall6(syscall.SYS_MMAP, 0, slots*slotBytes, syscall.PROT_NONE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE, ^uintptr(0), 0)
	prog.Check(e == 0, "mmap: %v", e)
	all := make([]slot, slots)
	for i := range all {
		all[i].addr = base + uintptr(i)*slotBytes
	}
	var wg sync.WaitGroup
	for w := 0; w < 64; w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			r := rand.New(rand.NewSource(int64(w)))
			for i := 0; i < n; i++ {
				s := &all[r.Intn(slots)]
				s.Lock()
				s.step(r)
				s.Unlock()
			}
		}()
	}
	wg.Wait()
	fmt.Println("steps", 64*n)
}

// threadsMain starts and ends N threads, eight at a time.
func threadsMain(args []string) {
	n := prog.Int(args, 0, 1_000)
	var wg sync.WaitGroup
	var ended atomic.Int64
	gate := make(chan bool, 8)
	for i := 0; i < n; i++ {
		gate <- true
		wg.Add(1)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends here
			ended.Add(1)
			<-gate
			wg.Done()
		}()
	}
	wg.Wait()
	fmt.Println("threads", ended.Load())
}

// channelsMain passes N tokens along a line of goroutines, half of them locked to threads, while
// others fight for a mutex and make garbage.
func channelsMain(args []string) {
	n := prog.Int(args, 0, 300)
	const length = 32
	first := make(chan int)
	last := first
	for i := 0; i < length; i++ {
		out := make(chan int)
		go func(in, out chan int) {
			if i%2 == 0 {
				runtime.LockOSThread()
			}
			for v := range in {
				out <- v + 1
			}
		}(last, out)
		last = out
	}
	var stop atomic.Bool
	var mu sync.Mutex
	var wg sync.WaitGroup
	shared, total := 0, int64(0)
	for w := 0; w < 4; w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for !stop.Load() {
				mu.Lock()
				shared++
				mu.Unlock()
				atomic.AddInt64(&total, 1)
				_ = make([]byte, 10_000)
				runtime.Gosched()
			}
		}()
	}
	hops := 0
	for i := 0; i < n; i++ {
		first <- 0
		hops += <-last
	}
	stop.Store(true)
	wg.Wait()
	prog.Check(int64(shared) == total, "the mutex lost %d", total-int64(shared))
	fmt.Println("hops", hops == length*n)
}

// timersMain sleeps in many goroutines for random times; no sleep ends early.
func timersMain(args []string) {
	n := prog.Int(args, 0, 20)
	var wg sync.WaitGroup
	for w := 0; w < 200; w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewSource(int64(w)))
			for i := 0; i < n; i++ {
				d := time.Duration(r.Intn(5_000_000))
				start := time.Now()
				time.Sleep(d)
				prog.Check(time.Since(start) >= d, "a sleep of %v ended after %v", d, time.Since(start))
			}
		}()
	}
	wg.Wait()
	fmt.Println("sleeps", 200*n)
}

// pollersMain moves bytes over 50 pipes that Go polls, while two more epoll sets watch them too.
func pollersMain(args []string) {
	n := prog.Int(args, 0, 100)
	var wg sync.WaitGroup
	var stop atomic.Bool
	var sets [2]int
	for i := range sets {
		fd, err := syscall.EpollCreate1(0)
		prog.Must(err)
		sets[i] = fd
	}
	for i := 0; i < 50; i++ {
		r, w, err := os.Pipe()
		prog.Must(err)
		raw, err := r.SyscallConn()
		prog.Must(err)
		prog.Must(raw.Control(func(fd uintptr) {
			for _, set := range sets {
				event := &syscall.EpollEvent{Events: syscall.EPOLLIN | 1<<31, Fd: int32(i)}
				prog.Must(syscall.EpollCtl(set, syscall.EPOLL_CTL_ADD, int(fd), event))
			}
		}))
		wg.Add(2)
		go func() {
			defer wg.Done()
			b := make([]byte, 1)
			for j := 0; j < n; j++ {
				_, err := r.Read(b)
				prog.Check(err == nil && b[0] == byte(j), "pipe %d: byte %d is %d, %v", i, j, b[0], err)
			}
		}()
		// Open until the watchers are done: closing would take their edges away.
		defer r.Close()
		go func() {
			defer wg.Done()
			for j := 0; j < n; j++ {
				_, err := w.Write([]byte{byte(j)})
				prog.Must(err)
				if j%7 == i%7 {
					runtime.Gosched()
				}
			}
			w.Close()
		}()
	}
	var watchers sync.WaitGroup
	var seen atomic.Int64
	for _, set := range sets {
		watchers.Add(1)
		go func() {
			defer watchers.Done()
			events := make([]syscall.EpollEvent, 4)
			// Edges wait for whoever asks, so even a late watcher sees some.
			for !stop.Load() || seen.Load() == 0 {
				got, err := syscall.EpollWait(set, events, 5)
				prog.Check(err == nil || err == syscall.EINTR, "epoll_wait: %v", err)
				seen.Add(int64(max(0, got)))
			}
		}()
	}
	wg.Wait()
	stop.Store(true)
	watchers.Wait()
	fmt.Println("bytes", 50*n, "watched", seen.Load() > 0)
}
