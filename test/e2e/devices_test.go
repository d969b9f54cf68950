package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// vmmPid is the process that the gosolo command p started.
func vmmPid(t *testing.T, p *running) int {
	t.Helper()
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
	for _, list := range lists {
		var pid int
		if text, err := os.ReadFile(list); err == nil {
			if n, _ := fmt.Sscan(string(text), &pid); n == 1 {
				return pid
			}
		}
	}
	t.Fatal("the command has no child")
	return 0
}

func residentMiB(t *testing.T, pid int) int {
	t.Helper()
	var all, resident int
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err == nil {
		_, err = fmt.Sscan(string(text), &all, &resident)
	}
	if err != nil {
		t.Fatal(err)
	}
	return resident * os.Getpagesize() >> 20
}

// TestMemoryGoesBackToTheHost: what the program gives up, the VMM's process gives up.
func TestMemoryGoesBackToTheHost(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		const fill, want = 150, 110 // MiB; blocks of 2 MiB of which a page is in use stay
		stdin, steps := io.Pipe()
		p := startMachine(t, c, job{binary: "core", args: []string{"give-back", fmt.Sprint(fill)}, memory: "320M",
			stdin: stdin, flags: []string{"--stats"}})
		at := func(name string) int {
			t.Helper()
			if _, err := p.waitLine(p.stdout, name+"\n"); err != nil {
				t.Fatal(err)
			}
			return residentMiB(t, vmmPid(t, p))
		}
		empty := at("empty")
		fmt.Fprintln(steps)
		full := at("full")
		if full < empty+fill-10 {
			t.Errorf("%d MiB in use before, %d MiB after %d MiB were filled", empty, full, fill)
		}
		fmt.Fprintln(steps)
		least := at("free")
		for end := time.Now().Add(30 * time.Second); least > full-want && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			least = min(least, at("free"))
		}
		t.Logf("resident: %d MiB at first, %d MiB full, %d MiB after giving back", empty, full, least)
		if least > full-want {
			t.Errorf("of %d MiB that were given up %d MiB went back to the host", fill, full-least)
		}
		fmt.Fprintln(steps)
		steps.Close() // or the command is not over: somebody copies to its input
		r := p.wait()
		if r.code != 0 || r.trouble != "" || !bytes.HasSuffix(r.stdout, []byte("full again\n")) {
			t.Error(r.report())
		}
	})
}
