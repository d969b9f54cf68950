package main

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	futexWait, futexWake = 0x80, 0x81 // private
)

// futex waits on after a signal of the runtime's own.
func futex(word *uint32, op, value int, timeout *syscall.Timespec) int {
	for {
		r := call(syscall.SYS_FUTEX, ptr(word), uintptr(op), uintptr(value), ptr(timeout), 0, 0)
		if r != -int(syscall.EINTR) {
			return r
		}
	}
}

func futexes() {
	word := new(uint32)
	*word = 5
	show("other value", futex(word, futexWait, 4, nil))
	show("wake nobody", futex(word, futexWake, 1, nil))
	start := time.Now()
	show("timeout", futex(word, futexWait, 5, &syscall.Timespec{Nsec: 30_000_000}))
	fact("not early", time.Since(start) >= 30*time.Millisecond)
	show("zero timeout", futex(word, futexWait, 5, &syscall.Timespec{}))
	show("bad timeout", futex(word, futexWait, 5, &syscall.Timespec{Nsec: 1_000_000_000}))
	show("negative timeout", futex(word, futexWait, 5, &syscall.Timespec{Sec: -1}))
	show("not mapped", call(syscall.SYS_FUTEX, badPointer, futexWait, 0, 0))
	show("not aligned", call(syscall.SYS_FUTEX, ptr(word)+1, futexWait, 0, 0))
	show("unknown operation", futex(word, 0xff, 0, nil))
	wakeOthers(word)
	pingPong()
}

// wakeOthers: of five sleepers a wake of two wakes two, then the rest.
func wakeOthers(word *uint32) {
	var asleep, awake atomic.Int32
	for i := 0; i < 5; i++ {
		go func() {
			runtime.LockOSThread()
			asleep.Add(1)
			futex(word, futexWait, 5, nil)
			awake.Add(1)
		}()
	}
	for asleep.Load() < 5 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond) // until they sleep in the kernel
	show("wake two", futex(word, futexWake, 2, nil))
	for deadline := time.Now().Add(10 * time.Second); awake.Load() < 2 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	show("awake", int(awake.Load()))
	show("wake all", futex(word, futexWake, 1<<30, nil))
	for deadline := time.Now().Add(10 * time.Second); awake.Load() < 5 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	show("awake", int(awake.Load()))
}

// pingPong hands a token to and fro between two threads: a lost wake-up hangs it.
func pingPong() {
	words := [2]uint32{}
	const rounds = 2000
	pass := func(from, to *uint32) {
		runtime.LockOSThread()
		for i := 0; i < rounds; i++ {
			for atomic.LoadUint32(from) == 0 {
				futex(from, futexWait, 0, nil)
			}
			atomic.StoreUint32(from, 0)
			atomic.StoreUint32(to, 1)
			futex(to, futexWake, 1, nil)
		}
	}
	finished := make(chan bool)
	go func() {
		pass(&words[1], &words[0])
		finished <- true
	}()
	words[0] = 1
	pass(&words[0], &words[1])
	<-finished
	show("rounds", rounds)
}
