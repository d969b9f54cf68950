// Conformance is many small checks in one binary: each is a fact that Go programs rely on, asked of
// the kernel that this runs on, and judged here. All of them pass on Linux; so they must pass in the
// machine. It uses the standard library only and asks in the same way on both sides.
//
//	conformance [-list] [-storm TIME] [PREFIX...]
//
// runs the checks whose name ("group/check") begins with one of the prefixes, all of them by
// default. A line for each says ok, FAIL with the reason, or skip with the reason; the last line
// counts them. The exit code is 1 if one failed. What differs from host to host is never printed.
// With -storm every thread gets the runtime's own signal that often meanwhile: what a signal ends too
// early, and a check that did not reckon with one, show themselves.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// A check is one fact. Its function ends by itself, leaves no thread, file or mapping behind that
// could change another check's result, and says what is wrong by T.
type check struct {
	name string
	run  func(t *T)
}

// groups are the topics, each in the file of its name: a machine is booted for each in the tests.
var groups = []struct {
	name   string
	checks []check
}{
	{"memory", memoryChecks},
	{"faults", faultChecks},
	{"pointers", pointerChecks()},
	{"limits", append(limitChecks, limitMemoryChecks...)},
	{"threads", append(threadChecks, niceChecks...)},
	{"futex", futexChecks},
	{"clock", clockChecks},
	{"timer", timerChecks},
	{"signal", signalChecks},
	{"start", startChecks},
	{"users", userChecks},
	{"file", fileChecks},
	{"directory", append(directoryChecks, namedPipeChecks...)},
	{"lock", lockChecks},
	{"mapping", append(mappingChecks, mappingHoleChecks...)},
	{"watch", watchChecks},
	{"proc", procChecks},
	{"device", deviceChecks},
	{"epoll", epollChecks},
	{"tcp", append(tcpChecks, tcpEndChecks...)},
	{"udp", append(udpChecks, udpCorkChecks...)},
	{"ipv6", ipv6Checks},
	{"multicast", multicastChecks},
	{"unix", unixChecks},
	{"rawsocket", append(rawsocketChecks, packetOptionChecks...)},
	{"netlink", netlinkChecks},
	{"procnet", procnetChecks},
	{"sockopt", sockoptChecks},
	{"urgent", urgentChecks},
	{"shared", sharedChecks},
	{"socketorder", orderChecks},
}

// T is what a check reports to.
type T struct {
	problems []string
	skipped  string
}

// Errorf notes a problem and goes on. The first ones are enough.
func (t *T) Errorf(format string, args ...any) {
	if len(t.problems) >= 50 {
		return
	}
	t.problems = append(t.problems, fmt.Sprintf(format, args...))
}

// Fatalf notes a problem and ends the check. For the check's own goroutine only.
func (t *T) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

// Skipf ends the check: this system cannot be asked, and format says why. The machine may skip
// for want of CPUs only (NeedCPUs); everything else it must be able to answer.
func (t *T) Skipf(format string, args ...any) {
	t.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// NeedCPUs skips the check where there are fewer CPUs.
func (t *T) NeedCPUs(n int) {
	if runtime.NumCPU() < n {
		t.Skipf("needs %d CPUs", n)
	}
}

// Must ends the check unless err is nil.
func (t *T) Must(what string, err error) {
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// Want notes a problem unless got is want; errors and numbers alike.
func (t *T) Want(what string, got, want any) {
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// patience is generous: emulation is slow, and so are busy hosts.
const patience = 3 * time.Minute

// do runs a check to its end; a hang ends the program, with every goroutine's stack.
func (c check) do(t *T) {
	ended := make(chan bool)
	go func() {
		defer close(ended)
		defer func() {
			if r := recover(); r != nil {
				t.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		c.run(t)
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		debug.SetTraceback("all")
		panic("no end after " + patience.String())
	}
}

func chosen(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return len(prefixes) == 0
}

func main() {
	list := flag.Bool("list", false, "print the names only")
	every := flag.Duration("storm", 0, "disturb each thread that often")
	flag.Parse()
	if *every > 0 {
		if err := storm(*every); err != nil {
			fmt.Println(err)
			os.Exit(2)
		}
	}
	var passed, failed, skipped int
	for _, g := range groups {
		for _, c := range g.checks {
			name := g.name + "/" + c.name
			if !chosen(name, flag.Args()) {
				continue
			}
			if *list {
				fmt.Println(name)
				continue
			}
			t := new(T)
			c.do(t)
			switch {
			case t.problems != nil:
				failed++
				fmt.Printf("FAIL %s: %s\n", name, strings.Join(t.problems, "\n     "))
			case t.skipped != "":
				skipped++
				fmt.Printf("skip %s: %s\n", name, t.skipped)
			default:
				passed++
				fmt.Printf("ok   %s\n", name)
			}
		}
	}
	if *list {
		return
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 || passed+skipped == 0 {
		os.Exit(1)
	}
}
