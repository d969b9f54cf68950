package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"gosolo/progs/prog"
)

// idleThreads is how many threads there are whenever things are counted: more than any load needs,
// so that what the runtime keeps for later is the same each time.
const idleThreads = 80

// counts are what must not grow with what a program has done: its own view, which Linux has too, and
// what the kernel says of itself.
type counts struct {
	names  []string
	values map[string]int
}

func (c *counts) add(name string, value int) {
	c.names = append(c.names, name)
	c.values[name] = value
}

// takeCounts is of a program at rest.
func takeCounts() counts {
	c := counts{values: map[string]int{}}
	settleThreads()
	for _, task := range tasks() { // a thread keeps the room for its first signal
		tid, err := strconv.Atoi(task.Name())
		prog.Must(err)
		syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(tid), uintptr(syscall.SIGURG))
	}
	runtime.GC()
	debug.FreeOSMemory()
	fds, err := os.ReadDir("/proc/self/fd")
	prog.Must(err)
	maps, err := os.ReadFile("/proc/self/maps")
	prog.Must(err)
	c.add("descriptors", len(fds))
	c.add("goroutines", runtime.NumGoroutine())
	c.add("threads", threadCount())
	text, err := os.ReadFile("/proc/gosolo/memory") // only where the kernel is this program's own
	if err == nil {                                 // Linux joins and splits its mappings as it likes
		c.add("mappings", bytes.Count(maps, []byte("\n")))
	}
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if err != nil || len(words) != 2 {
			continue
		}
		n, err := strconv.Atoi(words[1])
		if err != nil {
			continue
		}
		switch name := words[0]; {
		case name == "kernel_pages", strings.HasPrefix(name, "objects_"):
			c.add(name, n)
		case name == "pipe_pages": // the runtime's own, to wake its poller, holds a byte or not
			c.add(name, max(n, 1))
		}
	}
	return c
}

// growth is what there is more of than before; "" when there is nothing.
func (c counts) growth(before counts) string {
	var text []string
	for _, name := range c.names {
		if c.values[name] > before.values[name] {
			text = append(text, fmt.Sprintf("%s: %d before, %d now", name, before.values[name], c.values[name]))
		}
	}
	return strings.Join(text, "; ")
}

// mustReturnTo waits until there is no more of anything than before: connections linger for a minute.
func mustReturnTo(before counts, what string) {
	for i := 0; ; i++ {
		grown := takeCounts().growth(before)
		if grown == "" {
			return
		}
		prog.Check(i < 90, "after %s: %s", what, grown)
		time.Sleep(time.Second)
	}
}

func tasks() []os.DirEntry {
	list, err := os.ReadDir("/proc/self/task")
	prog.Must(err)
	return list
}

func threadCount() int { return len(tasks()) }

// settleThreads makes idleThreads of what threads there are: missing ones are started, and what is
// too many ends.
func settleThreads() {
	for i := 0; threadCount() != idleThreads; i++ {
		prog.Check(i < 1000, "%d threads, which should become %d", threadCount(), idleThreads)
		if n := threadCount(); n < idleThreads {
			together(1+idleThreads-n+i, func() {})
		} else {
			together(n-idleThreads, runtime.Goexit)
		}
	}
}

// together runs n goroutines on threads of their own, which are all there before any goes on.
func together(n int, then func()) {
	var here, ended sync.WaitGroup
	here.Add(n)
	ended.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			runtime.LockOSThread()
			here.Done()
			here.Wait()
			ended.Done()
			then() // may end the goroutine, and so the thread
			runtime.UnlockOSThread()
		}()
	}
	ended.Wait()
	time.Sleep(10 * time.Millisecond)
}
