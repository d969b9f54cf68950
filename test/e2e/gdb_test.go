package e2e

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestGDB follows the line that run --gdb prints, stops the machine in a system call, and looks at threads,
// run queues, mappings, locks and the log with our commands.
func TestGDB(t *testing.T) {
	if _, err := exec.LookPath("gdb"); err != nil {
		t.Skip("SKIP: gdb is not installed: tools/install-deps.sh gdb")
	}
	eachConfig(t, func(t *testing.T, c config) {
		port := freePort(t)
		p := startCommand(t, nil, 2*time.Minute, "run", "-c", c.cpus, "--gdb="+port, program(c.release, "core"), "deaf")
		said, err := p.waitLine(p.stderr, "stopped until gdb comes: ")
		if err != nil {
			t.Fatal(err)
		}
		line := regexp.MustCompile(`gdb comes: (gdb .*)\n`).FindStringSubmatch(said)
		if line == nil {
			t.Fatalf("no line for gdb: %q", said)
		}
		commands := ""
		for _, command := range []string{"hbreak sys_epoll_pwait", "continue", "gosolo-runq", "gosolo-threads", "gosolo-maps",
			"gosolo-locks", "gosolo-log", "kill"} {
			commands += " -ex '" + command + "'"
		}
		out, _ := exec.Command("timeout", "90", "sh", "-c", line[1]+" -batch"+commands).CombinedOutput()
		for _, want := range []string{`Breakpoint 1, sys_epoll_pwait \(a=`, `(?m)^cpu 0 runs `, `(?m)^thread 1 .*last entry: `,
			` sys_epoll_pwait\+0x`, ` entry_syscall\+0x`, ` linux_handle_syscall\+0x`, ` runtime\.(netpoll|futex)`,
			`(?m)^0000000000400000-[0-9a-f]{16} r-xp`, `(?m)^no lock is held`, `net: address `} {
			if !regexp.MustCompile(want).Match(out) {
				t.Errorf("no %q", want)
			}
		}
		if r := p.wait(); r.code != 125 || strings.Contains(r.trouble, "left behind") || t.Failed() {
			t.Errorf("gdb said:\n%s\nthe run: %s", tail(out), r.report())
		}
	})
}
