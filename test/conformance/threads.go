package main

import (
	"fmt"
	"math/bits"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Threads: made, placed, ended; what each has of its own.
var threadChecks = []check{
	{"clone-arguments", threadCloneArguments},
	{"clone-stores-numbers", threadCloneStoresNumbers},
	{"numbers-are-unique", threadNumbersAreUnique},
	{"main-thread-is-the-process", threadMainIsTheProcess},
	{"end-wakes-a-futex", threadEndWakesAFutex},
	{"set-tid-address", threadSetTidAddress},
	{"thousand-locked", threadThousandLocked},
	{"exit-storm", threadExitStorm},
	{"exit-storm-under-gc", threadExitStormUnderGC},
	{"count-is-told", threadCountIsTold},
	{"yield", threadYield},
	{"getcpu", threadGetcpu},
	{"affinity", threadAffinity},
	{"affinity-arguments", threadAffinityArguments},
	{"affinity-holds", threadAffinityHolds},
	{"fs-base", threadFSBase},
	{"names", threadNames},
	{"more-threads-than-cpus-progress", threadMoreThanCPUs},
	{"blocked-threads-do-not-hold-others", threadBlockedDoNotHold},
	{"wake-ups-are-exact", threadWakeUpsAreExact},
	{"goexit-of-locked", threadGoexitOfLocked},
}

//go:noescape
func cloneCall(number, stack uintptr, result, tid unsafe.Pointer)

// withoutSignals runs f on one thread with all signals blocked, the runtime's own, too.
func withoutSignals(f func()) { blocking(^uint64(0), f) }

func raw4(number uintptr, a0, a1, a2, a3 uintptr) (uintptr, syscall.Errno) {
	r, _, e := syscall.RawSyscall6(number, a0, a1, a2, a3, 0, 0)
	return r, e
}

// cloneAndAsk makes a bare thread by clone, which makes one system call and ends: its result.
func cloneAndAsk(t *T, number uintptr) uintptr {
	var result uintptr
	var tid uint32 = 1
	stack := mapPages(t, 4, rw)
	withoutSignals(func() {
		cloneCall(number, stack+4*page, unsafe.Pointer(&result), unsafe.Pointer(&tid))
	})
	for atomic.LoadUint32(&tid) != 0 {
		raw(syscall.SYS_SCHED_YIELD)
	}
	unmap(t, stack, 4)
	return result
}

// tgkill sends a signal, or with 0 none, to a thread of this process.
func tgkill(tid int, signo uintptr) syscall.Errno {
	_, e := call(syscall.SYS_TGKILL, uintptr(syscall.Getpid()), uintptr(tid), signo)
	return e
}

func threadCloneArguments(t *T) {
	const vm, fs, files, sighand, thread = 0x100, 0x200, 0x400, 0x800, 0x10000
	for _, flags := range []uintptr{thread, thread | vm, thread | sighand, sighand | fs | files} {
		_, e := call(syscall.SYS_CLONE, flags, 0, 0, 0, 0)
		t.Want("clone without what threads share", e, syscall.EINVAL)
	}
}

func threadCloneStoresNumbers(t *T) {
	self := syscall.Gettid()
	tid := cloneAndAsk(t, syscall.SYS_GETTID)
	if tid == 0 || int(tid) == self || int(tid) == os.Getpid() {
		t.Errorf("the new thread's number is %d", tid)
	}
	t.Want("its process", cloneAndAsk(t, syscall.SYS_GETPID), uintptr(os.Getpid()))
}

func threadNumbersAreUnique(t *T) {
	const n = 50
	tids, stop := make(chan int), make(chan bool)
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			tids <- syscall.Gettid()
			<-stop
		}()
	}
	seen := map[int]bool{}
	for i := 0; i < n; i++ {
		tid := <-tids
		if seen[tid] || tid <= 0 {
			t.Errorf("number %d", tid)
		}
		seen[tid] = true
	}
	close(stop)
	wg.Wait()
}

func threadMainIsTheProcess(t *T) {
	t.Want("getpid twice", syscall.Getpid(), os.Getpid())
	t.Want("a signal to the thread of the process's number", tgkill(os.Getpid(), 0), syscall.Errno(0))
}

func threadEndWakesAFutex(t *T) {
	var result uintptr
	var tid uint32 = 1
	stack := mapPages(t, 4, rw)
	withoutSignals(func() {
		cloneCall(syscall.SYS_GETPID, stack+4*page, unsafe.Pointer(&result), unsafe.Pointer(&tid))
	})
	for {
		now := atomic.LoadUint32(&tid)
		if now == 0 {
			break
		}
		_, e := futex(&tid, futexWait, uintptr(now), spec(time.Minute), nil, 0)
		if e == syscall.ETIMEDOUT {
			t.Fatalf("the end of a thread woke nobody")
		}
	}
	unmap(t, stack, 4)
}

func threadSetTidAddress(t *T) {
	onOwnThread(func() {
		r, e := raw(syscall.SYS_SET_TID_ADDRESS, 0)
		t.Want("error", e, syscall.Errno(0))
		t.Want("result", int(r), syscall.Gettid())
	})
}

func threadThousandLocked(t *T) {
	const n = 1000
	var ready, done sync.WaitGroup
	stop := make(chan bool)
	for i := 0; i < n; i++ {
		ready.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			runtime.LockOSThread() // never unlocked: all of them end
			ready.Done()
			<-stop
		}()
	}
	ready.Wait()
	close(stop)
	done.Wait()
}

func threadExitStorm(t *T) {
	for round := 0; round < 5; round++ {
		var wg sync.WaitGroup
		for i := 0; i < 100; i++ {
			wg.Add(1)
			go func() {
				runtime.LockOSThread()
				wg.Done()
			}()
		}
		wg.Wait()
	}
}

func threadExitStormUnderGC(t *T) {
	var stop atomic.Bool
	done := make(chan bool)
	go func() {
		defer close(done)
		for !stop.Load() {
			_ = make([]byte, 1<<16)
			runtime.GC()
		}
	}()
	threadExitStorm(t)
	stop.Store(true)
	<-done
}

// threadsNow is what the kernel says of the process.
func threadsNow(t *T) (n int) {
	text, err := os.ReadFile("/proc/self/status")
	t.Must("status", err)
	_, rest, found := strings.Cut(string(text), "\nThreads:\t")
	if _, err := fmt.Sscan(rest, &n); !found || err != nil {
		t.Fatalf("no number of threads: %v", err)
	}
	return n
}

func threadCountIsTold(t *T) {
	const n = 20
	var ready, done sync.WaitGroup
	stop := make(chan bool)
	for i := 0; i < n; i++ {
		ready.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			runtime.LockOSThread()
			ready.Done()
			<-stop
		}()
	}
	ready.Wait()
	with := threadsNow(t)
	if with < n+1 {
		t.Errorf("%d threads with %d locked ones", with, n)
	}
	close(stop)
	done.Wait()
	for start := time.Now(); threadsNow(t) > with-n/2; { // Go may have made others meanwhile
		if time.Since(start) > time.Minute {
			t.Fatalf("%d threads are left of %d, %d have ended", threadsNow(t), with, n)
		}
		time.Sleep(time.Millisecond)
	}
}

func threadYield(t *T) {
	for i := 0; i < 100; i++ {
		r, e := call(syscall.SYS_SCHED_YIELD)
		t.Want("result", r, uintptr(0))
		t.Want("error", e, syscall.Errno(0))
	}
}

func threadGetcpu(t *T) {
	var cpu, node uint32 = 1 << 30, 1 << 30
	_, e := call(309, ptr(&cpu), ptr(&node), 0)
	t.Want("getcpu", e, syscall.Errno(0))
	if cpu > 1<<12 || node > 1<<12 {
		t.Errorf("CPU %d, node %d", cpu, node)
	}
	_, e = call(309, 0, 0, 0)
	t.Want("getcpu of nothing", e, syscall.Errno(0))
}

type cpuSet [128]uint64

func getAffinity(tid int) (set cpuSet, bytes int, e syscall.Errno) {
	n, e := call(syscall.SYS_SCHED_GETAFFINITY, uintptr(tid), unsafe.Sizeof(set), ptr(&set))
	return set, int(n), e
}

func threadAffinity(t *T) {
	set, n, e := getAffinity(0)
	t.Want("sched_getaffinity", e, syscall.Errno(0))
	if n < 8 || n%8 != 0 || n > 1024 {
		t.Errorf("%d bytes", n)
	}
	count := 0
	for _, w := range set {
		count += bits.OnesCount64(w)
	}
	t.Want("CPUs, and what Go counted", count, runtime.NumCPU())
	own, _, e := getAffinity(syscall.Gettid())
	t.Want("by number", e, syscall.Errno(0))
	t.Want("by number", own, set)
}

func threadAffinityArguments(t *T) {
	var set cpuSet
	for _, bytes := range []uintptr{0, 1, 12} {
		_, e := call(syscall.SYS_SCHED_GETAFFINITY, 0, bytes, ptr(&set))
		t.Want("length", e, syscall.EINVAL)
	}
	_, _, e := getAffinity(1 << 22)
	t.Want("nobody's", e, syscall.ESRCH)
	_, e = call(syscall.SYS_SCHED_SETAFFINITY, 0, 8, ptr(&set))
	t.Want("no CPU at all", e, syscall.EINVAL)
	_, e = call(syscall.SYS_SCHED_SETAFFINITY, 1<<22, 8, ptr(&set))
	t.Want("nobody's", e, syscall.ESRCH)
}

func threadAffinityHolds(t *T) {
	all, n, _ := getAffinity(0)
	onOwnThread(func() {
		for i := 0; i < n*8; i++ {
			if all[i/64]>>(i%64)&1 == 0 {
				continue
			}
			var one cpuSet
			one[i/64] = 1 << (i % 64)
			_, e := call(syscall.SYS_SCHED_SETAFFINITY, 0, uintptr(n), ptr(&one))
			t.Want("sched_setaffinity", e, syscall.Errno(0))
			for j := 0; j < 20; j++ {
				var cpu uint32
				raw(309, ptr(&cpu), 0, 0)
				if int(cpu) != i {
					t.Errorf("on CPU %d, bound to %d", cpu, i)
				}
				raw(syscall.SYS_SCHED_YIELD)
			}
		}
	})
	after, _, _ := getAffinity(0)
	t.Want("others'", after, all)
}

func threadFSBase(t *T) {
	const setFS, getFS = 0x1002, 0x1003
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var base uint64
	_, e := raw(syscall.SYS_ARCH_PRCTL, getFS, ptr(&base))
	t.Want("ARCH_GET_FS", e, syscall.Errno(0))
	if base == 0 {
		t.Errorf("FS is 0")
	}
	_, e = raw(syscall.SYS_ARCH_PRCTL, setFS, 1<<63)
	t.Want("an address that the program cannot have", e, syscall.EPERM)
	_, e = raw(syscall.SYS_ARCH_PRCTL, setFS, uintptr(base))
	t.Want("ARCH_SET_FS", e, syscall.Errno(0))
	_, e = raw(syscall.SYS_ARCH_PRCTL, 0x7777)
	t.Want("no such operation", e, syscall.EINVAL)
}

func threadNames(t *T) {
	onOwnThread(func() {
		long, got := []byte("a name of many letters\x00"), [17]byte{16: 9}
		raw(syscall.SYS_PRCTL, prSetName, ptr(&long[0]))
		raw(syscall.SYS_PRCTL, prGetName, ptr(&got))
		t.Want("cut to 15 letters", string(got[:16]), "a name of many \x00")
		t.Want("no byte more", got[16], byte(9))
	})
}

const prSetName, prGetName = 15, 16

// threadMoreThanCPUs: threads that only compute, more of them than CPUs, all get on.
func threadMoreThanCPUs(t *T) {
	n := 2*runtime.NumCPU() + 2
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	var rounds [64]atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for !stop.Load() {
				rounds[i].Add(1)
			}
		}(i)
	}
	for i := 0; i < n; i++ {
		for start := time.Now(); rounds[i].Load() < 1000; {
			if time.Since(start) > time.Minute {
				t.Errorf("thread %d of %d does not get on", i, n)
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	stop.Store(true)
	wg.Wait()
}

// threadBlockedDoNotHold: while many threads sleep in calls, others work.
func threadBlockedDoNotHold(t *T) {
	var p [2]int
	t.Must("pipe", syscall.Pipe(p[:]))
	var wg sync.WaitGroup
	const n = 100
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			syscall.Read(p[0], make([]byte, 1))
		}()
	}
	sum := 0
	for i := 0; i < 1000; i++ {
		sum += i
		runtime.Gosched()
	}
	t.Want("a sum", sum, 499500)
	syscall.Write(p[1], make([]byte, n))
	wg.Wait()
	syscall.Close(p[0])
	syscall.Close(p[1])
}

// threadWakeUpsAreExact: a token goes round threads that sleep by futex; none is lost or doubled.
func threadWakeUpsAreExact(t *T) {
	const n, rounds = 8, 100
	var words [n]uint32
	var passed atomic.Int64
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for r := 0; r < rounds; r++ {
				for !atomic.CompareAndSwapUint32(&words[i], 1, 0) {
					futex(&words[i], futexWait|futexPrivate, 0, nil, nil, 0)
				}
				passed.Add(1)
				atomic.StoreUint32(&words[(i+1)%n], 1)
				futex(&words[(i+1)%n], futexWake|futexPrivate, 1, nil, nil, 0)
			}
		}(i)
	}
	atomic.StoreUint32(&words[0], 1)
	futex(&words[0], futexWake|futexPrivate, 1, nil, nil, 0)
	wg.Wait()
	t.Want("passes", passed.Load(), int64(n*rounds))
}

func threadGoexitOfLocked(t *T) {
	for i := 0; i < 30; i++ {
		done := make(chan bool)
		go func() {
			defer close(done)
			runtime.LockOSThread()
			runtime.Goexit()
		}()
		<-done
	}
}
