package main

import (
	"fmt"
	"syscall"
	"time"
)

func times() {
	for id := 0; id < 12; id++ {
		var ts syscall.Timespec
		r := call(syscall.SYS_CLOCK_GETTIME, uintptr(id), ptr(&ts))
		if id == 10 || id == 8 || id == 9 {
			continue // unused, and alarms that need hardware
		}
		show(fmt.Sprint("clock ", id), r)
		fact("  normal", ts.Nsec >= 0 && ts.Nsec < 1e9 && ts.Sec >= 0)
	}
	show("clock 99", call(syscall.SYS_CLOCK_GETTIME, 99, ptr(new(syscall.Timespec))))
	show("to nowhere", call(syscall.SYS_CLOCK_GETTIME, 1, badPointer))
	var res syscall.Timespec
	show("resolution", call(syscall.SYS_CLOCK_GETRES, 1, ptr(&res)))
	fmt.Println("  ", res)
	var tv syscall.Timeval
	show("gettimeofday", call(syscall.SYS_GETTIMEOFDAY, ptr(&tv), 0))
	apart := time.Since(time.Unix(tv.Sec, tv.Usec*1000))
	fact("  is now", apart > -time.Second && apart < 10*time.Second)

	sleep := func(what string, sec, nsec int64) {
		ts := syscall.Timespec{Sec: sec, Nsec: nsec}
		show(what, call(syscall.SYS_NANOSLEEP, ptr(&ts), 0))
	}
	sleep("sleep 0", 0, 0)
	start := time.Now()
	sleep("sleep 1 ms", 0, 1_000_000)
	fact("  not early", time.Since(start) >= time.Millisecond)
	sleep("sleep 1e9 ns", 0, 1_000_000_000)
	sleep("sleep negative", -1, 0)
	show("sleep nowhere", call(syscall.SYS_NANOSLEEP, badPointer, 0))

	var usage syscall.Rusage
	for x, end := 0, time.Now().Add(50*time.Millisecond); time.Now().Before(end); x++ {
	}
	show("getrusage", call(syscall.SYS_GETRUSAGE, 0, ptr(&usage)))
	fact("  some time was used", usage.Utime.Nano()+usage.Stime.Nano() > 10_000_000)
	show("getrusage of nobody", call(syscall.SYS_GETRUSAGE, 77, ptr(&usage)))
}
