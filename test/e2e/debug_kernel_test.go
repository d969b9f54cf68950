package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

var debugKernel = sync.OnceValues(func() (string, error) {
	out := filepath.Join(outDir, "debug")
	cmd := exec.Command("make", "-C", fromRoot("."), "--no-print-directory", "-j2", "CONFIG=debug", "OUT="+out, "kernel")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make CONFIG=debug kernel: %v\n%s", err, text)
	}
	return filepath.Join(out, "kernel", "kernel.elf"), nil
})

// debugFlags make the command use the kernel that checks its locks, its scheduler driven by seed.
func debugFlags(t *testing.T, seed string) []string {
	t.Helper()
	kernel, err := debugKernel()
	if err != nil {
		t.Fatal(err)
	}
	return []string{"--kernel", kernel, "--kernel-arg", "torture=" + seed}
}

// TestTorture is the stress tests, shorter, with the kernel that checks its locks, preempts at random
// and wakes threads on random CPUs.
func TestTorture(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		for i, s := range stressCases {
			if s.shows == "shares" { // torture is unfair
				continue
			}
			seed := fmt.Sprint(1000*soak(t) + i)
			t.Run(s.shows+"_with_seed_"+seed, func(t *testing.T) {
				t.Parallel()
				j := job{binary: "stress", args: []string{s.shows, fmt.Sprint(max(2, s.size*soak(t)/20))},
					timeout: 3 * time.Minute * time.Duration(soak(t)), flags: debugFlags(t, seed)}
				compareJob(t, c, j, nil, nil)
			})
		}
	})
}

var counter = regexp.MustCompile(`(?m)^(context_switches|futex_waits|timer_interrupts|page_faults|uptime) +(\d+)`)

// tortured runs a program on one CPU whose time is its instructions, and gives the counters.
func tortured(t *testing.T, c config, seed string) string {
	t.Helper()
	j := job{binary: "stress", args: []string{"futex", "300"}, flags: append(debugFlags(t, seed), "--stats",
		"--net", "none", "--accel", "tcg", "--vmm-arg", "-icount", "--vmm-arg", "shift=2,sleep=off",
		"--vmm-arg", "-seed", "--vmm-arg", "1", "--vmm-arg", "-rtc", "--vmm-arg", "base=2026-01-01,clock=vm")}
	r := startMachine(t, config{c.release, "1"}, j).wait()
	if r.code != 0 || r.trouble != "" {
		t.Fatal(r.report())
	}
	if !strings.Contains(r.log, "scheduler torture: seed "+seed) {
		t.Errorf("the seed is not told: %s", r.report())
	}
	return fmt.Sprint(counter.FindAllString(string(r.stderr)+r.log, -1))
}

// TestTortureReplays: one seed makes one run, to the nanosecond; another seed makes another. Only what
// the host does meanwhile (it takes the output) is not the seed's: so a few runs may differ.
func TestTortureReplays(t *testing.T) {
	c := firstConfig(t)
	seen := map[string]int{}
	for run := 0; run < 10 && !t.Failed(); run++ {
		counters := tortured(t, c, "7")
		if seen[counters]++; seen[counters] == 2 {
			if seen[tortured(t, c, "8")] != 0 {
				t.Errorf("two seeds make the same run: %s", counters)
			}
			return
		}
	}
	t.Errorf("a seed does not replay: %v", seen)
}

// TestLockHoldTimes: the debug kernel tells the longest hold of each kind of lock, and complains of none.
func TestLockHoldTimes(t *testing.T) {
	c := firstConfig(t)
	j := job{binary: "stress", args: []string{"channels", "20"}, flags: append(debugFlags(t, "0"), "--stats")}
	r := startMachine(t, c, j).wait()
	said := string(r.stderr) + r.log
	if r.code != 0 || r.trouble != "" || !strings.Contains(said, "lock_hold_max.sched ") || strings.Contains(said, "was held for") {
		t.Error(r.report())
	}
}
