package e2e

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

// stressCases are programs that look for races in the kernel, with a size that takes seconds. In a
// soak of 50 that is a million futex hand-offs and 100,000 threads.
var stressCases = []struct {
	shows string
	size  int
}{
	{"futex", 20_000}, {"memory", 60}, {"pages", 80}, {"threads", 2_000}, {"channels", 200}, {"timers", 20},
	{"sleepers", 60}, {"pollers", 60}, {"affinity", 60}, {"signals", 60}, {"shares", 100},
	{"storm", 1000}, {"churn", 3}, // http rests for two minutes: make soak
}

func soak(t *testing.T) int {
	t.Helper()
	times, err := strconv.Atoi(setting("GOSOLO_SOAK", "1"))
	if err != nil || times < 1 {
		t.Fatal("GOSOLO_SOAK must be a number")
	}
	return times
}

// TestStress looks for races in the kernel: short by default, GOSOLO_SOAK times as long in a soak.
func TestStress(t *testing.T) {
	times := soak(t)
	eachConfig(t, func(t *testing.T, c config) {
		for _, s := range stressCases {
			t.Run(s.shows, func(t *testing.T) {
				t.Parallel()
				compareJob(t, c, job{binary: "stress", args: []string{s.shows, fmt.Sprint(s.size * times)},
					timeout: 2 * time.Minute * time.Duration(times)}, nil, nil)
			})
		}
		t.Run("registers", func(t *testing.T) {
			t.Parallel()
			compareJob(t, c, job{binary: "core", args: []string{"registers", fmt.Sprint(2000 * times)},
				timeout: 2 * time.Minute * time.Duration(times)}, nil, nil)
		})
	})
}

// TestGoSeesEveryCPU: runtime.NumCPU is what -c says, up to the most there can be.
func TestGoSeesEveryCPU(t *testing.T) {
	c := firstConfig(t)
	for _, cpus := range []string{"1", "2", "3", "4", "8", "64"} {
		t.Run(cpus, func(t *testing.T) {
			r := startMachine(t, config{c.release, cpus}, job{binary: "stress", args: []string{"cpus"}}).wait()
			if r.code != 0 || r.trouble != "" || string(r.stdout) != "CPUs "+cpus+"\n" {
				t.Error(r.report())
			}
		})
	}
}

// TestCountersThatDiffer: CPUs whose time stamps are seconds apart agree on the time all the same, and
// the log says so. On one CPU, and where they do not differ, it says nothing.
func TestCountersThatDiffer(t *testing.T) {
	c := firstConfig(t)
	for _, j := range []job{{binary: "stress", args: []string{"hops", "200"}}, {binary: "core", args: []string{"monotonic"}}} {
		for _, skewed := range []bool{true, false} {
			flags := j
			if skewed {
				flags.flags = []string{"--kernel-arg", "selftest=tsc-skew"}
			}
			r := startMachine(t, config{c.release, "2"}, flags).wait()
			if r.code != 0 || r.trouble != "" || contains(r.log, "made up for") != skewed {
				t.Error(r.report())
			}
		}
	}
}

// TestNoTick: the timer interrupts a CPU for what somebody waits for, and to end turns where several
// threads want it; not to count time. Go's monitor looks every 10 ms at one that computes, and at
// nothing while all sleep.
func TestNoTick(t *testing.T) {
	c := firstConfig(t)
	// Computing, the monitor's sleep is one interrupt, the turn that its waking cuts short another: 200 a
	// second; asleep, the runtime looks around now and then. A tick would be 250 more, or 100 at least.
	// A CPU profile is written every 100 ms; 16 threads that looked for its end at each interval would be
	// 1,600 more.
	for what, most := range map[string]int{"sleep": 40 * 3, "profiled": 100 * 3, "compute": 240 * 3} {
		r := startMachine(t, config{c.release, "1"}, job{binary: "stress", args: []string{what, "3000"}}).wait()
		interrupts := most + 1
		fmt.Sscanf(string(r.stdout), "timer interrupts %d", &interrupts)
		if r.code != 0 || r.trouble != "" || interrupts > most {
			t.Errorf("%s: more than %d in 3 s: %s", what, most, r.report())
		}
	}
}

// TestCPUThatDoesNotStart: it is one line in the log, and the program has the others.
func TestCPUThatDoesNotStart(t *testing.T) {
	c := firstConfig(t)
	j := job{binary: "stress", args: []string{"cpus"}, flags: []string{"--kernel-arg", "selftest=absent-cpu"}}
	r := startMachine(t, config{c.release, "2"}, j).wait()
	if r.code != 0 || r.trouble != "" || string(r.stdout) != "CPUs 2\n" || !contains(r.log, "did not start") {
		t.Error(r.report())
	}
}

// TestBadCalls: calls of any number with any arguments, most of them bad, from a seed. The kernel answers
// each of them, and the program goes on to its end. In the machine only, where they can do no harm.
func TestBadCalls(t *testing.T) {
	times := soak(t)
	eachConfig(t, func(t *testing.T, c config) {
		n := 6_000 * times
		j := job{binary: "stress", args: []string{"badcalls", fmt.Sprint(n), "1"}, flags: []string{"--net", "none"},
			timeout: 3 * time.Minute * time.Duration(times)}
		r := startMachine(t, c, j).wait()
		var made, faults, unknown, successes int
		fmt.Sscanf(string(r.stdout), "calls %d, faults %d, unknown %d, successes %d", &made, &faults, &unknown, &successes)
		if r.code != 0 || r.trouble != "" || made < n || faults < n/20 || successes < n/50 {
			t.Error(r.report())
		}
	})
}
