package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// storm sends SIGURG to each other thread again and again, until the program ends: the signal by which the
// runtime preempts, so checks must hold whenever it comes.
func storm(every time.Duration) error {
	threads, err := os.Open("/proc/self/task") // once: checks count descriptors
	if err != nil {
		return err
	}
	go func() {
		runtime.LockOSThread()
		self := strconv.Itoa(syscall.Gettid())
		for ; ; time.Sleep(every) {
			threads.Seek(0, 0)
			names, _ := threads.Readdirnames(-1)
			for _, name := range names {
				if tid, err := strconv.Atoi(name); err == nil && name != self {
					syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(tid), uintptr(syscall.SIGURG))
				}
			}
		}
	}()
	return nil
}
