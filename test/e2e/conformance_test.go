package e2e

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// skipLine is a check that was not made.
var skipLine = regexp.MustCompile(`(?m)^skip .*\n`)

// TestConformance runs every group of checks of test/conformance on Linux and in the machine: none
// fails on either, and the machine skips for want of CPUs only.
func TestConformance(t *testing.T) {
	storm := setting("GOSOLO_STORM", "0")
	eachConfig(t, func(t *testing.T, c config) {
		names, err := exec.Command(program(c.release, "conformance"), "-list").Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range groupsOf(string(names)) {
			t.Run(group, func(t *testing.T) {
				t.Parallel()
				j := job{binary: "conformance", args: []string{"-storm", storm, group + "/"}, timeout: 6 * time.Minute}
				passesOnLinux(t, c, j)
				r := startMachine(t, c, j).wait()
				if r.code != 0 || r.trouble != "" {
					t.Fatalf("in the machine: %s", r.report())
				}
				for _, line := range skipLine.FindAllString(string(r.stdout), -1) {
					if !strings.Contains(line, ": needs ") || !strings.HasSuffix(line, " CPUs\n") {
						t.Errorf("the machine may not skip: %s", line)
					}
				}
			})
		}
	})
}

// passesOnLinux sees to it that the checks are right. This host has others' ports and threads, so
// what fails on it once may pass when asked again; the machine gets no second chance.
func passesOnLinux(t *testing.T, c config, j job) {
	for try := 1; ; try++ {
		linux := startNative(t, c, j).wait()
		switch {
		case linux.code == 0 && linux.trouble == "":
			return
		case try == 3:
			t.Fatalf("on Linux: %s", linux.report())
		default:
			t.Logf("on Linux, asked again: %s", linux.report())
		}
	}
}

// groupsOf lists the groups of "group/check" names, in order.
func groupsOf(names string) (groups []string) {
	for _, name := range strings.Fields(names) {
		group, _, _ := strings.Cut(name, "/")
		if len(groups) == 0 || groups[len(groups)-1] != group {
			groups = append(groups, group)
		}
	}
	return groups
}
