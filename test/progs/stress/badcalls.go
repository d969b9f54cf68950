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

// Calls of any number with any arguments, most of them bad: whatever is asked, the kernel answers. It is
// for the machine only, since it would do harm elsewhere.

const (
	badThreads   = 6
	badBatch     = 200 // calls of a thread before it ends, with what it has become
	badPoolEnd   = 60  // descriptors below it are the storm's
	badReport    = badPoolEnd + 3
	badScratch   = 64 << 12
	badNudge     = syscall.SIGUSR2
	badFirstFree = badReport + 1
)

// Calls that would end the program, or make it another one that cannot tell.
var badNever = map[uintptr]bool{
	13: true, 14: true, 15: true, 131: true, // rt_sigaction, rt_sigprocmask, rt_sigreturn, sigaltstack
	56: true, 60: true, 231: true, 158: true, // clone, exit, exit_group, arch_prctl
	151: true, 436: true, // mlockall, close_range
}

// Calls whose pointers are bad, never right: they would change memory, handlers or limits.
var badOnly = map[uintptr]bool{
	9: true, 10: true, 11: true, 25: true, 28: true, 130: true, 160: true, 222: true, 302: true,
}

// Calls whose argument of that number is a signal: none that is one.
var badSignals = map[uintptr]int{62: 1, 200: 1, 234: 2, 129: 1, 297: 2}

// Calls that fill memory: no large numbers.
var badFills = map[uintptr]bool{40: true, 275: true, 276: true, 278: true, 285: true, 326: true}

type badWorker struct {
	tid   atomic.Int64
	calls atomic.Int64
	doing [7]atomic.Uint64 // the number and the arguments
	r     *rand.Rand
	edges []uintptr // good memory, and its end
}

var badCounts struct{ made, fault, good, unknown atomic.Int64 }

// badAddresses end with those of the program's own text.
var badAddresses = []uintptr{0, 1, 8, 4096, 0x200000, 0x200000 + 100<<10, 0x7ffffffff000, 0x7fffffffefff,
	0x800000000000, 0xdead000000000000, 0xffff800000000000, 0xffff888000001000, 0xffffffff81000000,
	0xfffffffffffff000, 0xfffffffffffffff8, 0x7eadbeef0000, 0x3ff000, 0x401000}

const badOwn = 2

var badLengths = []uintptr{0, 1, 4, 7, 8, 16, 24, 56, 64, 100, 4096, 4097, 1 << 16, 1 << 20, 1 << 31, 1 << 32, 1 << 62, 1 << 63, ^uintptr(0)}

// scratch is memory of random bytes, in front of a page that cannot be touched. The nudge is in no mask.
func (w *badWorker) scratch() {
	b, err := syscall.Mmap(-1, 0, badScratch+4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	prog.Must(err)
	start := uintptr(unsafe.Pointer(&b[0]))
	_, _, e := syscall.Syscall(syscall.SYS_MPROTECT, start+badScratch, 4096, 0)
	prog.Check(e == 0, "mprotect: %v", e)
	w.edges = []uintptr{start, start + badScratch}
	w.refill()
}

func (w *badWorker) refill() {
	words := unsafe.Slice(*(**uint64)(unsafe.Pointer(&w.edges[0])), badScratch/8)
	for i := range words {
		switch w.r.Intn(4) {
		case 0:
			words[i] = w.r.Uint64()
		case 1:
			words[i] = uint64(w.r.Intn(64))
		case 2:
			words[i] = 0
		case 3:
			words[i] = uint64(w.pointer())
		}
		words[i] &^= 1 << (badNudge - 1)
	}
}

func (w *badWorker) pointer() uintptr {
	start, end := w.edges[0], w.edges[1]
	switch w.r.Intn(4) {
	case 0:
		return badAddresses[w.r.Intn(len(badAddresses))]
	case 1:
		return end - uintptr(w.r.Intn(130))
	case 2:
		return start + uintptr(w.r.Intn(badScratch))
	default:
		return start + uintptr(w.r.Intn(badScratch/64))*64
	}
}

func (w *badWorker) argument() uintptr {
	switch w.r.Intn(8) {
	case 0:
		return uintptr(3 + w.r.Intn(badPoolEnd-3))
	case 1:
		return uintptr(w.r.Intn(44)) - 4
	case 2:
		return badLengths[w.r.Intn(len(badLengths))]
	case 3:
		return 1 << w.r.Intn(64)
	case 4:
		return uintptr(w.r.Uint64())
	default:
		return w.pointer()
	}
}

func (w *badWorker) arguments(number uintptr) (args [6]uintptr) {
	for i := range args {
		args[i] = w.argument()
		if badFills[number] {
			args[i] &= 1<<16 - 1
		}
		if badOnly[number] && args[i] >= 1<<16 {
			args[i] = badAddresses[w.r.Intn(len(badAddresses)-badOwn)]
		}
	}
	if number == 9 {
		args[3] &^= syscall.MAP_FIXED
	}
	if i, ok := badSignals[number]; ok {
		args[i] = []uintptr{0, 65, 66, 1 << 20}[w.r.Intn(4)]
	}
	if args[0] >= badPoolEnd && args[0] < badFirstFree { // close and its kin
		args[0] = 3
	}
	return args
}

// step makes one call. One of 32 numbers is nobody's.
func (w *badWorker) step() {
	number := uintptr(w.r.Intn(470))
	if number >= 335 && number < 424 { // Linux has left them free
		number -= 335
	}
	if w.r.Intn(32) == 0 {
		number = uintptr(w.r.Uint64())
	}
	if uint32(number) < 512 && (badNever[uintptr(uint32(number))] || number > 512) {
		return
	}
	a := w.arguments(number)
	w.doing[0].Store(uint64(number))
	for i := range a {
		w.doing[i+1].Store(uint64(a[i]))
	}
	_, _, e := syscall.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	w.calls.Add(1)
	badCounts.made.Add(1)
	switch e {
	case 0:
		badCounts.good.Add(1)
	case syscall.EFAULT:
		badCounts.fault.Add(1)
	case syscall.ENOSYS:
		badCounts.unknown.Add(1)
	}
}

// batch is the life of a thread: it ends with whom it became and what it has blocked.
func (w *badWorker) batch() {
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread()
		w.tid.Store(int64(syscall.Gettid()))
		for i := 0; i < badBatch; i++ {
			w.step()
		}
		w.tid.Store(0)
	}()
	<-done
}

var badName = []byte("memory\x00")

// badPool opens the descriptors that the calls find.
func badPool() {
	place := func(fd int, err error) {
		if err == nil && fd >= badFirstFree {
			syscall.Close(fd)
		}
	}
	for round := 0; round < 3; round++ {
		for _, name := range []string{"/dev/null", "/dev/zero", "/proc/self/status", "/proc/self/maps", "/", "/tmp"} {
			place(syscall.Open(name, syscall.O_RDONLY|syscall.O_NONBLOCK, 0))
		}
		place(syscall.Open("/tmp/file"+fmt.Sprint(round), syscall.O_RDWR|syscall.O_CREAT|syscall.O_TRUNC, 0o600))
		for _, domain := range []int{syscall.AF_INET, syscall.AF_INET6, syscall.AF_UNIX} {
			place(syscall.Socket(domain, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0))
			place(syscall.Socket(domain, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK, 0))
		}
		place(syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_NONBLOCK, 0))
		place(syscall.EpollCreate1(0))
		place(syscall.InotifyInit1(syscall.IN_NONBLOCK))
		var p [2]int
		syscall.Pipe2(p[:], syscall.O_NONBLOCK)
		for _, c := range [][3]uintptr{{syscall.SYS_EVENTFD2, 1, syscall.O_NONBLOCK}, {syscall.SYS_TIMERFD_CREATE, 1, syscall.O_NONBLOCK}, {319, uintptr(unsafe.Pointer(&badName[0])), 0}} {
			fd, _, e := syscall.Syscall(c[0], c[1], c[2], 0)
			if e == 0 {
				place(int(fd), nil)
			}
		}
	}
}

// badPrepare keeps the runtime's own descriptors, and the one to report to, out of reach: those below
// badPoolEnd are free for the storm, and standard input and output go nowhere.
func badPrepare() *os.File {
	for fd := 0; fd < badPoolEnd; {
		next, err := syscall.Dup(0)
		prog.Must(err)
		fd = next
	}
	time.Sleep(time.Millisecond) // the runtime's poller is there now
	prog.Must(syscall.Dup3(1, badReport, 0))
	null, err := syscall.Open("/dev/null", syscall.O_RDWR, 0)
	prog.Must(err)
	for fd := 0; fd < badPoolEnd; fd++ {
		if fd <= 2 {
			prog.Must(syscall.Dup3(null, fd, 0))
		} else {
			syscall.Close(fd)
		}
	}
	var act [4]uint64
	ask := uintptr(unsafe.Pointer(&act))
	_, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(badNudge), 0, ask, 8, 0, 0)
	prog.Check(e == 0, "rt_sigaction: %v", e)
	act[1] &^= 0x10000000 // SA_RESTART: it ends calls
	_, _, e = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(badNudge), ask, 0, 8, 0, 0)
	prog.Check(e == 0, "rt_sigaction: %v", e)
	return os.NewFile(badReport, "report")
}

// badWatch ends calls that sleep, and reports one that does not end.
func badWatch(workers []*badWorker, stop *atomic.Bool, report *os.File) {
	var last [badThreads]int64
	var stuck [badThreads]int
	for !stop.Load() {
		time.Sleep(5 * time.Millisecond)
		for i, w := range workers {
			now := w.calls.Load()
			if now != last[i] {
				last[i], stuck[i] = now, 0
				continue
			}
			if stuck[i]++; stuck[i] == 6000 {
				fmt.Fprintf(report, "a call does not end: %d(", w.doing[0].Load())
				for j := range w.doing[1:] {
					fmt.Fprintf(report, "%#x, ", w.doing[j+1].Load())
				}
				fmt.Fprintln(report, ")")
				os.Exit(1)
			}
			if tid := w.tid.Load(); tid != 0 {
				syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(syscall.Getpid()), uintptr(tid), uintptr(badNudge))
			}
		}
	}
}

// badcallsMain makes N calls from a seed.
func badcallsMain(args []string) {
	n, seed := prog.Int(args, 0, 20_000), prog.Int(args, 1, 1)
	prog.Must(os.Chdir("/tmp"))
	report := badPrepare()
	badPool()
	var workers []*badWorker
	for i := 0; i < badThreads; i++ {
		w := &badWorker{r: rand.New(rand.NewSource(int64(seed*1000 + i)))}
		w.scratch()
		workers = append(workers, w)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	go badWatch(workers, &stop, report)
	for _, w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for badCounts.made.Load() < int64(n) {
				w.batch()
				w.refill()
				syscall.RawSyscall(436 /* close_range */, badFirstFree, uintptr(1<<31-1), 0)
				badPool()
			}
		}()
	}
	wg.Wait()
	stop.Store(true)
	fmt.Fprintf(report, "calls %d, faults %d, unknown %d, successes %d\n", badCounts.made.Load(), badCounts.fault.Load(),
		badCounts.unknown.Load(), badCounts.good.Load())
}
