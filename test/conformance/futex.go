package main

import (
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Futexes: waiting for a word, waking, moving waiters, and what a dead owner leaves.
var futexChecks = slices.Concat(futexWaitChecks, futexRobustChecks)

// Waiting, waking, moving.
var futexWaitChecks = []check{
	{"other-value", futexOtherValue},
	{"wake-counts", futexWakeCounts},
	{"wake-without-waiters", futexWakeWithoutWaiters},
	{"timeout-relative", futexTimeoutRelative},
	{"timeout-absolute", futexTimeoutAbsolute},
	{"timeout-real", futexTimeoutReal},
	{"timeout-bad", futexTimeoutBad},
	{"timeout-of-years", futexTimeoutOfYears},
	{"bad-words", futexBadWords},
	{"bad-operations", futexBadOperations},
	{"bitsets", futexBitsets},
	{"requeue", futexRequeue},
	{"cmp-requeue-compares", futexCmpRequeueCompares},
	{"wake-op", futexWakeOp},
	{"interrupted", futexInterrupted},
	{"interrupted-with-timeout", futexInterruptedWithTimeout},
	{"ping-pong", futexPingPong},
	{"fresh-page", futexFreshPage},
}

const (
	futexWait, futexWake            = 0, 1
	futexRequeueOp, futexCmpRequeue = 3, 4
	futexWakeOpOp                   = 5
	futexWaitBitset, futexWakeBits  = 9, 10
	futexPrivate, futexRealtime     = 128, 256
)

type timespec struct{ sec, nsec int64 }

func spec(d time.Duration) *timespec {
	return &timespec{int64(d / time.Second), int64(d % time.Second)}
}

// futex is the call with its arguments as they are.
func futex(word *uint32, op uintptr, val uintptr, timeout *timespec, word2 *uint32, val3 uintptr) (int, syscall.Errno) {
	r, e := call(syscall.SYS_FUTEX, ptr(word), op, val, ptr(timeout), ptr(word2), val3)
	return int(r), e
}

// waiters starts n threads that wait for word with a bitset; each tells what came of it. It returns
// when all of them wait, or nearly: settle makes sure.
func futexWaiters(n int, word *uint32, bits uint32) chan syscall.Errno {
	results := make(chan syscall.Errno, n)
	var started atomic.Int32
	for i := 0; i < n; i++ {
		go func() {
			started.Add(1)
			_, e := futex(word, futexWaitBitset|futexPrivate, 0, nil, nil, uintptr(bits))
			results <- e
		}()
	}
	for started.Load() != int32(n) {
		runtime.Gosched()
	}
	return results
}

// wakeAll wakes want waiters in all, however late they come; more is a problem.
func futexWakeAll(t *T, word *uint32, want int) {
	for woken := 0; woken < want; {
		n, e := futex(word, futexWake|futexPrivate, 1<<30, nil, nil, 0)
		t.Want("wake", e, syscall.Errno(0))
		woken += n
		if woken > want {
			t.Fatalf("%d woken, %d waited", woken, want)
		}
		runtime.Gosched()
	}
}

func futexOtherValue(t *T) {
	word := uint32(5)
	_, e := futex(&word, futexWait|futexPrivate, 4, nil, nil, 0)
	t.Want("wait", e, syscall.EAGAIN)
	_, e = futex(&word, futexWait, 4, nil, nil, 0)
	t.Want("wait, shared", e, syscall.EAGAIN)
}

func futexWakeWithoutWaiters(t *T) {
	var word uint32
	n, e := futex(&word, futexWake|futexPrivate, 1, nil, nil, 0)
	t.Want("result", n, 0)
	t.Want("error", e, syscall.Errno(0))
	a := mapPages(t, 1, rw)
	unmap(t, a, 1)
	n, e = futex((*uint32)(unsafe.Pointer(at(a))), futexWake|futexPrivate, 1, nil, nil, 0)
	t.Want("result where nothing is mapped", n, 0)
	t.Want("error where nothing is mapped", e, syscall.Errno(0))
}

func futexWakeCounts(t *T) {
	var word uint32
	results := futexWaiters(5, &word, ^uint32(0))
	woken := 0
	for woken < 2 {
		n, _ := futex(&word, futexWake|futexPrivate, 1, nil, nil, 0)
		if n > 1 {
			t.Errorf("%d woken by wake of 1", n)
		}
		woken += n
		runtime.Gosched()
	}
	for i := 0; i < 2; i++ {
		t.Want("result", <-results, syscall.Errno(0))
	}
	select {
	case e := <-results:
		t.Errorf("a third one ended: %v", e)
	case <-time.After(20 * time.Millisecond):
	}
	futexWakeAll(t, &word, 3)
	for i := 0; i < 3; i++ {
		t.Want("result", <-results, syscall.Errno(0))
	}
}

// notEarly runs f, which must take d by the monotonic clock at least.
func notEarly(t *T, what string, d time.Duration, f func()) {
	start := time.Now()
	f()
	if took := time.Since(start); took < d {
		t.Errorf("%s: ended after %v of %v", what, took, d)
	}
}

// wantTimeout waits until then, or for as long, also beyond the runtime's own signals.
func wantTimeout(t *T, what string, op uintptr, then *timespec) {
	var word uint32
	t.Want(what, again(func() syscall.Errno {
		_, e := futex(&word, op, 0, then, nil, minusOne)
		return e
	}), syscall.ETIMEDOUT)
}

func futexTimeoutRelative(t *T) {
	for _, d := range []time.Duration{0, 1, time.Microsecond, 300 * time.Microsecond, 5 * time.Millisecond} {
		notEarly(t, "wait", d, func() { wantTimeout(t, "wait", futexWait|futexPrivate, spec(d)) })
	}
}

func now(t *T, clock uintptr) timespec {
	var ts timespec
	_, e := call(syscall.SYS_CLOCK_GETTIME, clock, ptr(&ts))
	t.Want("clock_gettime", e, syscall.Errno(0))
	return ts
}

func (ts timespec) add(d time.Duration) *timespec {
	n := ts.nsec + int64(d)
	return &timespec{ts.sec + n/1e9, n % 1e9}
}

func futexTimeoutAbsolute(t *T) {
	wantTimeout(t, "long ago", futexWaitBitset|futexPrivate, &timespec{})
	const d = 5 * time.Millisecond
	notEarly(t, "wait", d, func() {
		wantTimeout(t, "wait", futexWaitBitset|futexPrivate, now(t, 1).add(d))
	})
}

func futexTimeoutReal(t *T) {
	var word uint32
	const op = futexWaitBitset | futexPrivate | futexRealtime
	wantTimeout(t, "in 2001", op, &timespec{sec: 1e9})
	const d = 5 * time.Millisecond
	notEarly(t, "wait", d-time.Millisecond, func() { wantTimeout(t, "wait", op, now(t, 0).add(d)) })
	_, e := futex(&word, futexWait|futexPrivate|futexRealtime, 0, &timespec{sec: 1e9}, nil, 0)
	t.Want("a relative wait has no clock", e, syscall.ENOSYS)
}

func futexTimeoutBad(t *T) {
	var word uint32
	for _, ts := range []timespec{{0, 1e9}, {0, -1}, {-1, 0}} {
		_, e := futex(&word, futexWait|futexPrivate, 0, &ts, nil, 0)
		t.Want("wait", e, syscall.EINVAL)
	}
	_, e := call(syscall.SYS_FUTEX, ptr(&word), futexWait|futexPrivate, 1, badPointer)
	t.Want("timeout nowhere", e, syscall.EFAULT)
}

func futexTimeoutOfYears(t *T) {
	var word uint32
	for _, sec := range []int64{1 << 33, 1 << 62} {
		done := make(chan syscall.Errno)
		go func() {
			undisturbed(func() { // or there is nobody to wake
				_, e := futex(&word, futexWait|futexPrivate, 0, &timespec{sec: sec}, nil, 0)
				done <- e
			})
		}()
		futexWakeAll(t, &word, 1)
		t.Want("wait", <-done, syscall.Errno(0))
	}
}

func futexBadWords(t *T) {
	var words [2]uint32
	odd := (*uint32)(unsafe.Pointer(uintptr(unsafe.Pointer(&words)) + 1))
	_, e := futex(odd, futexWait|futexPrivate, 0, nil, nil, 0)
	t.Want("wait, not aligned", e, syscall.EINVAL)
	_, e = futex(odd, futexWake|futexPrivate, 1, nil, nil, 0)
	t.Want("wake, not aligned", e, syscall.EINVAL)
	for _, a := range []uintptr{badPointer, 0, 1 << 63, 0xffff888000000000, 0x8000_0000_0000} {
		_, e := call(syscall.SYS_FUTEX, a, futexWait|futexPrivate, 0, 0)
		t.Want("wait for a word nowhere", e, syscall.EFAULT)
	}
	_, e = call(syscall.SYS_FUTEX, 1<<63, futexWake|futexPrivate, 1)
	t.Want("wake beyond the program", e, syscall.EFAULT)
}

func futexBadOperations(t *T) {
	var word uint32
	_, e := futex(&word, 2, 0, nil, nil, 0) // FUTEX_FD, gone since 2.6.26
	t.Want("FUTEX_FD", e, syscall.ENOSYS)
	_, e = futex(&word, 77, 0, nil, nil, 0)
	t.Want("operation 77", e, syscall.ENOSYS)
	_, e = futex(&word, futexWaitBitset|futexPrivate, 0, nil, nil, 0)
	t.Want("no bit to wait for", e, syscall.EINVAL)
	_, e = futex(&word, futexWakeBits|futexPrivate, 1, nil, nil, 0)
	t.Want("no bit to wake", e, syscall.EINVAL)
	_, e = call(syscall.SYS_FUTEX, ptr(&word), futexRequeueOp|futexPrivate, minusOne, 1, ptr(&word))
	t.Want("requeue, -1 to wake", e, syscall.EINVAL)
	_, e = call(syscall.SYS_FUTEX, ptr(&word), futexRequeueOp|futexPrivate, 1, minusOne, ptr(&word))
	t.Want("requeue, -1 to move", e, syscall.EINVAL)
}

func futexBitsets(t *T) {
	var word uint32
	results := futexWaiters(1, &word, 0b0110)
	for i := 0; i < 100; i++ {
		n, _ := futex(&word, futexWakeBits|futexPrivate, 9, nil, nil, 0b1001)
		t.Want("woken by other bits", n, 0)
		runtime.Gosched()
	}
	for n := 0; n == 0; runtime.Gosched() {
		n, _ = futex(&word, futexWakeBits|futexPrivate, 9, nil, nil, 0b1100)
	}
	t.Want("result", <-results, syscall.Errno(0))
}

func futexRequeue(t *T) {
	var from, to uint32
	results := futexWaiters(4, &from, ^uint32(0))
	moved := 0
	for moved < 4 {
		r, e := call(syscall.SYS_FUTEX, ptr(&from), futexRequeueOp|futexPrivate, 0, 100, ptr(&to))
		t.Want("requeue", e, syscall.Errno(0))
		moved += int(r)
		runtime.Gosched()
	}
	t.Want("moved", moved, 4)
	n, _ := futex(&from, futexWake|futexPrivate, 100, nil, nil, 0)
	t.Want("left behind", n, 0)
	n, _ = futex(&to, futexWake|futexPrivate, 1, nil, nil, 0)
	t.Want("woken where they are", n, 1)
	r, e := call(syscall.SYS_FUTEX, ptr(&to), futexRequeueOp|futexPrivate, 1, 1, ptr(&from))
	t.Want("wake one, move one", r, uintptr(2))
	t.Want("wake one, move one", e, syscall.Errno(0))
	n, _ = futex(&to, futexWake|futexPrivate, 100, nil, nil, 0)
	t.Want("the one that stayed", n, 1)
	n, _ = futex(&from, futexWake|futexPrivate, 100, nil, nil, 0)
	t.Want("the one that went back", n, 1)
	for i := 0; i < 4; i++ {
		t.Want("result", <-results, syscall.Errno(0))
	}
}

func futexCmpRequeueCompares(t *T) {
	from, to := uint32(3), uint32(0)
	_, e := call(syscall.SYS_FUTEX, ptr(&from), futexCmpRequeue|futexPrivate, 1, 1, ptr(&to), 4)
	t.Want("other value", e, syscall.EAGAIN)
	r, e := call(syscall.SYS_FUTEX, ptr(&from), futexCmpRequeue|futexPrivate, 1, 1, ptr(&to), 3)
	t.Want("nobody waits", e, syscall.Errno(0))
	t.Want("nobody waits", r, uintptr(0))
	_, e = call(syscall.SYS_FUTEX, badPointer, futexCmpRequeue|futexPrivate, 1, 1, ptr(&to), 3)
	t.Want("word nowhere", e, syscall.EFAULT)
}

func futexWakeOp(t *T) {
	const set, add, or, andn, xor, shift = 0, 1, 2, 3, 4, 8
	const eq, ne, lt, le, gt, ge = 0, 1, 2, 3, 4, 5
	encode := func(op, oparg, cmp, cmparg uint32) uintptr {
		return uintptr(op<<28 | cmp<<24 | (oparg&0xfff)<<12 | cmparg&0xfff)
	}
	for _, c := range []struct {
		before  uint32
		code    uintptr
		after   uint32
		matches bool
	}{
		{7, encode(set, 5, eq, 7), 5, true},
		{7, encode(set, 5, eq, 8), 5, false},
		{7, encode(add, 5, ne, 7), 12, false},
		{7, encode(add, 0xfff, lt, 8), 6, true}, // -1
		{6, encode(or, 9, le, 6), 15, true},
		{7, encode(andn, 2, gt, 6), 5, true},
		{7, encode(xor, 2, ge, 8), 5, false},
		{7, encode(or|shift, 4, ge, 7), 23, true},
		{minusOne, encode(set, 0, lt, 0), 0, true}, // signed
	} {
		var first, second uint32
		results := futexWaiters(1, &first, ^uint32(0))
		second = 0
		more := futexWaiters(1, &second, ^uint32(0))
		time.Sleep(2 * time.Millisecond)
		atomic.StoreUint32(&second, c.before)
		n := 0
		for n == 0 { // the first waiter must be there
			r, e := call(syscall.SYS_FUTEX, ptr(&first), futexWakeOpOp|futexPrivate, 1, 10, ptr(&second), c.code)
			t.Want("wake op", e, syscall.Errno(0))
			t.Want("the second word", atomic.LoadUint32(&second), c.after)
			if n = int(r); n == 0 {
				atomic.StoreUint32(&second, c.before)
			}
		}
		t.Want("the first waiter", <-results, syscall.Errno(0))
		if n > 1 && !c.matches {
			t.Errorf("%#x: the comparison did not hold, and %d were woken", c.code, n)
		}
		if n < 2 {
			k, _ := futex(&second, futexWake|futexPrivate, 1, nil, nil, 0)
			if k == 1 && c.matches {
				t.Errorf("%#x: the second waiter was not woken", c.code)
			}
		}
		e := <-more
		if e != 0 && e != syscall.EAGAIN { // it may have come late
			t.Errorf("the second waiter: %v", e)
		}
	}
	var word uint32
	_, e := call(syscall.SYS_FUTEX, ptr(&word), futexWakeOpOp|futexPrivate, 1, 1, badPointer, encode(set, 1, eq, 0))
	t.Want("second word nowhere", e, syscall.EFAULT)
	_, e = call(syscall.SYS_FUTEX, ptr(&word), futexWakeOpOp|futexPrivate, 1, 1, ptr(&word), encode(5, 1, eq, 0))
	t.Want("no such operation", e, syscall.ENOSYS)
	_, e = call(syscall.SYS_FUTEX, ptr(&word), futexWakeOpOp|futexPrivate, 1, 1, ptr(&word), encode(set, 1, 6, 0))
	t.Want("no such comparison", e, syscall.ENOSYS)
}

// interruptUntil sends the thread that f runs on a signal with a handler until f ends.
func interruptUntil(f func()) {
	tid, done := make(chan int), make(chan bool)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		tid <- syscall.Gettid()
		f()
		close(done)
	}()
	target := <-tid
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		case <-time.After(2 * time.Millisecond):
			tgkill(target, uintptr(syscall.SIGURG))
		}
	}
}

func futexInterrupted(t *T) {
	var word uint32
	stop := time.AfterFunc(50*time.Millisecond, func() { futexWakeAll(t, &word, 1) })
	defer stop.Stop()
	interruptUntil(func() {
		_, e := futex(&word, futexWait|futexPrivate, 0, nil, nil, 0)
		t.Want("without a time limit it is restarted", e, syscall.Errno(0))
	})
}

func futexInterruptedWithTimeout(t *T) {
	var word uint32
	interruptUntil(func() {
		_, e := futex(&word, futexWait|futexPrivate, 0, spec(time.Minute), nil, 0)
		t.Want("relative", e, syscall.EINTR)
		_, e = futex(&word, futexWaitBitset|futexPrivate, 0, now(t, 1).add(time.Minute), nil, minusOne)
		t.Want("absolute", e, syscall.EINTR)
	})
}

// futexPingPong: no wake-up is lost, 2,000 times there and back.
func futexPingPong(t *T) {
	const rounds = 2000
	var word atomic.Uint32
	p := (*uint32)(unsafe.Pointer(&word))
	turn := func(mine, next uint32) {
		for i := 0; i < rounds; i++ {
			for word.Load() != mine {
				futex(p, futexWait|futexPrivate, uintptr(next), nil, nil, 0)
			}
			word.Store(next)
			futex(p, futexWake|futexPrivate, 1, nil, nil, 0)
		}
	}
	done := make(chan bool)
	go func() { turn(1, 0); close(done) }()
	turn(0, 1)
	<-done
}

func futexFreshPage(t *T) {
	a := mapPages(t, 1, rw)
	defer unmap(t, a, 1)
	_, e := call(syscall.SYS_FUTEX, a, futexWait|futexPrivate, 1, 0)
	t.Want("a page that nobody touched reads 0", e, syscall.EAGAIN)
}
