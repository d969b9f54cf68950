package e2e

import (
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// TestOutOfMemory: Go's own stacks, then a line that names the program, what it touched and how much
// memory there is, and a code of its own.
func TestOutOfMemory(t *testing.T) {
	want := regexp.MustCompile(`(?m)^gosolo: core: the machine is out of memory: core touched 0x[0-9a-f]+ ` +
		`in a mapping of \d+ KiB; of 9\d MiB of memory it uses [89]\d MiB, \d+ KiB are free; give it more with -m$`)
	eachConfig(t, func(t *testing.T, c config) {
		j := core("out-of-memory")
		j.memory = "96M"
		r := startMachine(t, c, j).wait()
		text := string(r.stderr)
		if r.code != 125 || r.trouble != "" || !want.MatchString(text) {
			t.Error("want 125 and a report:", r.report())
		}
		if !contains(text, "SIGQUIT: quit") || !contains(text, "main.outOfMemoryMain") {
			t.Error("want the program's stacks:", r.report())
		}
	})
}

// TestThreadsUntilMemoryEnds: threads that no memory is left for are Go's own fatal error, or the machine's
// report; never a hang.
func TestThreadsUntilMemoryEnds(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		j := core("threads-forever")
		j.memory = "40M"
		r := startMachine(t, c, j).wait()
		text := string(r.stderr)
		goEnds := r.code == 2 && contains(text, "failed to create new OS thread") && contains(text, "newosproc")
		machineEnds := r.code == 125 && contains(text, "core: the machine is out of memory: core touched")
		if r.trouble != "" || goEnds == machineEnds {
			t.Error(r.report())
		}
	})
}

// TestMemoryLimit: run and build give the program a GOMEMLIMIT that fits the machine; exec does not;
// the user's own wins.
func TestMemoryLimit(t *testing.T) {
	c := firstConfig(t)
	core := program(c.release, "core")
	image := filepath.Join(t.TempDir(), "core.img")
	ends(t, command(t, "build", "-o", image, core), 0, "")
	if r := command(t, "inspect", image); !contains(string(r.stdout), "GOMEMLIMIT   7/8 of the memory") {
		t.Error("inspect does not tell:", r.report())
	}
	limit := func(args ...string) int {
		r := command(t, append(args, "env", "GOMEMLIMIT")...)
		m := regexp.MustCompile(`^GOMEMLIMIT true "(\d+)"\n$`).FindSubmatch(r.stdout)
		if m == nil {
			t.Error("no limit:", r.report())
			return 0
		}
		n, _ := strconv.Atoi(string(m[1]))
		return n
	}
	for _, target := range []string{core, image} {
		small, large := limit("run", "-m", "32M", target), limit("run", "-m", "128M", target)
		if small < 8<<20 || small > 28<<20 || large < 90<<20 || large > 112<<20 {
			t.Errorf("%s: %d of 32 MiB, %d of 128 MiB", target, small, large)
		}
		ends(t, command(t, "run", "-e", "GOMEMLIMIT=off", target, "env", "GOMEMLIMIT"), 0, "GOMEMLIMIT true \"off\"\n")
	}
	ends(t, command(t, "build", "-o", image, "-e", "GOMEMLIMIT=30MiB", core), 0, "")
	if r := command(t, "inspect", image); contains(string(r.stdout), "GOMEMLIMIT   7/8") {
		t.Error("inspect does not see the image's own:", r.report())
	}
	ends(t, command(t, "run", image, "env", "GOMEMLIMIT"), 0, "GOMEMLIMIT true \"30MiB\"\n")
	t.Setenv("GOMEMLIMIT", "")
	ends(t, command(t, "exec", core, "env", "GOMEMLIMIT"), 0, "GOMEMLIMIT true \"\"\n")
}
