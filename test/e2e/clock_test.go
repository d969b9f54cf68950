package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestClockIsSet: the program sets the machine's clock; whoever waits for a time of it notices. In
// the machine only: on Linux it would be the host's.
func TestClockIsSet(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		r := startMachine(t, c, core("clock-set")).wait()
		want := "set true\nclock_nanosleep true\nfutex connection timed out\ntimer user defined signal 1\n" +
			"timerfd <nil>\ntimerfd, cancelled operation canceled\n" +
			"an hour by the wall true\nnot by the monotonic clock true\n"
		if string(r.stdout) != want || r.code != 0 {
			t.Errorf("want %q: %s", want, r.report())
		}
	})
}

// monitorCommands sends QEMU's monitor commands and waits for their answers.
func monitorCommands(t *testing.T, path string, commands ...string) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	lines := bufio.NewScanner(conn)
	for _, c := range append([]string{"qmp_capabilities"}, commands...) {
		fmt.Fprintf(conn, "{\"execute\": %q}\n", c)
		for lines.Scan() && !strings.Contains(lines.Text(), "\"return\"") {
		}
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
}

// TestPause: after a pause of the machine monotonic time goes on without going back, and the wall
// clock is the host's again within the time that docs/design.md promises, and some.
func TestPause(t *testing.T) {
	const pause = 3 * time.Second
	dir, err := os.MkdirTemp("", "pause") // short enough for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "qmp")
	stdin, end := io.Pipe()
	j := core("clock-watch")
	j.stdin = stdin
	j.flags = []string{"--vmm-arg", "-qmp", "--vmm-arg", "unix:" + path + ",server=on,wait=off"}
	p := startMachine(t, firstConfig(t), j)
	if _, err := p.waitLine(p.stdout, "wall "); err != nil {
		t.Fatal(err)
	}
	monitorCommands(t, path, "stop")
	time.Sleep(pause)
	monitorCommands(t, path, "cont")
	resumed := time.Now()
	worst := time.Duration(0)
	for {
		time.Sleep(200 * time.Millisecond)
		now := lastWall(p)
		worst = max(worst, now)
		if now < pause/2 && worst > pause/2 {
			break
		}
		if time.Since(resumed) > time.Minute {
			t.Fatalf("the wall clock is %v behind a minute after the pause, %v at worst", now, worst)
		}
	}
	end.Close()
	if r := p.wait(); r.code != 0 || r.trouble != "" {
		t.Error(r.report())
	}
}

// lastWall is how far behind the last line that a clock-watch wrote is.
func lastWall(p *running) time.Duration {
	p.stdout.mu.Lock()
	text := string(p.stdout.data)
	p.stdout.mu.Unlock()
	var ms int64
	text = text[:strings.LastIndex(text, "\n")]
	fmt.Sscanf(text[strings.LastIndex(text, "wall"):], "wall %d", &ms)
	return time.Since(time.UnixMilli(ms))
}
