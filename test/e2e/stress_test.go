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
	{"storm", 1000},
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

// TestCPUThatDoesNotStart: it is one line in the log, and the program has the others.
func TestCPUThatDoesNotStart(t *testing.T) {
	c := firstConfig(t)
	j := job{binary: "stress", args: []string{"cpus"}, flags: []string{"--kernel-arg", "selftest=absent-cpu"}}
	r := startMachine(t, config{c.release, "2"}, j).wait()
	if r.code != 0 || r.trouble != "" || string(r.stdout) != "CPUs 2\n" || !contains(r.log, "did not start") {
		t.Error(r.report())
	}
}
