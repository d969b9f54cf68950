package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSignals: what the user sends to the command reaches the program, as on Linux.
func TestSignals(t *testing.T) {
	cases := []struct {
		shows  string
		args   []string
		signal syscall.Signal
		stderr filter
	}{
		{"SIGINT_reaches_the_handler", []string{"signal-wait"}, syscall.SIGINT, nil},
		{"SIGTERM_reaches_the_handler", []string{"signal-wait"}, syscall.SIGTERM, nil},
		{"SIGTERM_without_handler_is_143", []string{"wait"}, syscall.SIGTERM, nil},
		{"SIGINT_without_handler_is_130", []string{"wait"}, syscall.SIGINT, nil},
		{"SIGQUIT_dumps_all_goroutines", []string{"wait"}, syscall.SIGQUIT, firstLine},
	}
	eachConfig(t, func(t *testing.T, c config) {
		for _, s := range cases {
			t.Run(s.shows, func(t *testing.T) {
				t.Parallel()
				run := func(start func(*testing.T, config, job) *running) result {
					p := start(t, c, core(s.args...))
					if _, err := p.waitLine(p.stdout, "ready\n"); err != nil {
						t.Error(err)
						return result{}
					}
					time.Sleep(100 * time.Millisecond) // into its sleep
					p.signal(s.signal)
					return p.wait()
				}
				compare(t, run(startNative), run(startMachine), nil, s.stderr)
			})
		}
	})
}

// TestSecondInterruptKills: a program that will not end on Ctrl-C is ended by the second.
func TestSecondInterruptKills(t *testing.T) {
	p := startMachine(t, firstConfig(t), core("stubborn"))
	if _, err := p.waitLine(p.stdout, "ready\n"); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGINT)
	if _, err := p.waitLine(p.stdout, "got interrupt\n"); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGINT)
	asked := time.Now()
	r := p.wait()
	if r.code == 0 || r.trouble != "" || time.Since(asked) > 10*time.Second {
		t.Errorf("want a non-zero code within 10 s: %s", r.report())
	}
}

// TestTimeout: a program that runs past --timeout is asked for its goroutines and ended, with one line and
// a code of the command's own.
func TestTimeout(t *testing.T) {
	j := core("wait")
	j.flags = []string{"--timeout", "3s"}
	r := startMachine(t, firstConfig(t), j).wait()
	if r.code != 125 || r.took > 30*time.Second || r.trouble != "" {
		t.Error(r.report())
	}
	said := string(r.stderr)
	if !strings.Contains(said, "SIGQUIT: quit") || !strings.Contains(said, "main.waitMain(") ||
		!strings.Contains(said, "gosolo: core: not finished after 3 s (--timeout): stopped by SIGQUIT\n") {
		t.Error(r.report())
	}
}

// TestTimeoutOfTheDeaf: when SIGQUIT does not end the program, the kernel tells where each thread is, in the
// kernel and in Go.
func TestTimeoutOfTheDeaf(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		j := core("deaf")
		j.flags = []string{"--timeout", "3s"}
		r := startMachine(t, c, j).wait()
		if r.code != 125 || r.took > time.Minute || r.trouble != "" {
			t.Error(r.report())
		}
		for _, part := range []string{"every thread is in the log", "asked for by an NMI", "build ", "in call 202 futex(",
			"waits, in call ", " sched_park+0x", " linux_handle_syscall+0x", "Go stack:", " runtime.futex+0x", " main.spin+", "runs on cpu "} {
			if !strings.Contains(string(r.stderr), part) {
				t.Errorf("no %q: %s", part, r.report())
			}
		}
	})
}

// oneLine: the error output is exactly one line of the command's own, and says all that it must.
func oneLine(r result, says ...string) error {
	text := string(r.stderr)
	if len(text) < 10 || text[:8] != "gosolo: " || countLines(text) != 1 {
		return fmt.Errorf("want one line from gosolo: %s", r.report())
	}
	for _, s := range says {
		if !contains(text, s) {
			return fmt.Errorf("want %q in the line: %s", s, r.report())
		}
	}
	return nil
}
