package e2e

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// useFakeVMM puts a program in QEMU's place that plays a part: see testdata/fakevmm. So what a
// good kernel never does can be tried too: to lie, to hang, to die without a word.
func useFakeVMM(t *testing.T) {
	t.Helper()
	dir := filepath.Join(outDir, "e2e", "fakevmm")
	header, err := os.ReadFile(fromRoot("include/gosolo_abi.h"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`GOSOLO_ABI_VERSION (\d+)u`).FindSubmatch(header)
	if version == nil {
		t.Fatal("include/gosolo_abi.h has no GOSOLO_ABI_VERSION")
	}
	cmd := exec.Command("go", "build", "-ldflags", fmt.Sprintf("-X main.abiVersion=%s", version[1]),
		"-o", filepath.Join(dir, "qemu-system-x86_64"), "main.go")
	cmd.Dir = fromRoot("test/e2e/testdata/fakevmm")
	cmd.Env = append(os.Environ(), "GO111MODULE=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func fakeRun(t *testing.T, part string, stdin []byte, flags ...string) *running {
	t.Helper()
	t.Setenv("FAKE_VMM", part)
	args := append(append([]string{"run", "--accel", "tcg"}, flags...), program(firstConfig(t).release, "hello"))
	return startCommand(t, bytes.NewReader(stdin), time.Minute, args...)
}

// TestChannelEnds: however a machine ends, there is a code, and on failure a report.
func TestChannelEnds(t *testing.T) {
	useFakeVMM(t)
	cases := []struct {
		part string
		code int
		says []string // in the error output; none: it is empty
	}{
		{"exit=0", 0, nil}, {"exit=1", 1, nil}, {"exit=255", 255, nil},
		{"signal=2", 130, nil}, {"signal=9", 137, nil},
		{"no-memory", 125, []string{"out of memory", "vm_map_anon", "-m"}},
		{"fault", 125, []string{"the kernel failed", "page fault in fake", "page fault at 0x8"}},
		{"bad-image", 125, []string{"cannot run on this machine", "no XSAVE"}},
		{"dead", 125, []string{"exit status 1", "something is wrong"}},
		{"killed", 125, []string{"signal 9"}},
		{"version", 125, []string{"version"}},
		{"garbage", 125, []string{"channel"}},
		{"early-exit", 125, []string{"before its hello"}},
		{"reset", 125, []string{"without saying how", "last words"}},
		{"much-to-say=5", 5, nil}, {"false-terminal=6", 6, nil},
		{"leave=7", 7, nil},
		{"stats", 3, []string{"calls                                    12\n"}},
	}
	for _, c := range cases {
		t.Run(c.part, func(t *testing.T) {
			r := fakeRun(t, c.part, nil).wait()
			if r.code != c.code || len(r.stdout) != 0 || r.trouble != "" || (c.says == nil) != (len(r.stderr) == 0) {
				t.Errorf("want exit code %d: %s", c.code, r.report())
			}
			for _, s := range c.says {
				if !strings.Contains(string(r.stderr), s) {
					t.Errorf("want %q: %s", s, r.report())
				}
			}
		})
	}
	for _, part := range []string{"silent", "hang"} {
		t.Run(part, func(t *testing.T) {
			r := fakeRun(t, part, nil, "--timeout", "300ms").wait()
			if r.code != 125 || r.trouble != "" || !strings.Contains(string(r.stderr), "--timeout") {
				t.Error(r.report())
			}
		})
	}
}

// TestChannelStreams: every byte arrives, in both directions, with and without a slow reader.
func TestChannelStreams(t *testing.T) {
	useFakeVMM(t)
	data := make([]byte, 5<<20)
	rand.New(rand.NewSource(1)).Read(data)
	for _, bytesIn := range []int{0, 1, 65536, len(data)} {
		t.Run(fmt.Sprintf("cat_%d", bytesIn), func(t *testing.T) {
			r := fakeRun(t, "cat", data[:bytesIn]).wait()
			if r.code != 0 || r.trouble != "" || !bytes.Equal(r.stdout, data[:bytesIn]) {
				t.Errorf("%d of %d bytes came back", len(r.stdout), bytesIn)
			}
		})
	}
	t.Run("flood", func(t *testing.T) {
		r := fakeRun(t, "flood", nil).wait()
		if r.code != 0 || bytes.Count(r.stdout, []byte("o")) != 10<<20 || len(r.stdout) != 10<<20 ||
			bytes.Count(r.stderr, []byte("e")) != 10<<20 || len(r.stderr) != 10<<20 {
			t.Errorf("exit code %d, %d and %d bytes", r.code, len(r.stdout), len(r.stderr))
		}
	})
	t.Run("reader_that_leaves", func(t *testing.T) {
		t.Setenv("FAKE_VMM", "yes")
		cmd := exec.Command("sh", "-c", `"$0" run --accel tcg "$1" </dev/null | head -1; true`, gosolo,
			program(firstConfig(t).release, "hello"))
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != "y\n" {
			t.Errorf("%v %q", err, out)
		}
	})
}

// TestChannelSignals: what is sent before the kernel is up arrives too, in order, and the second
// of the same kind kills a machine that does not listen.
func TestChannelSignals(t *testing.T) {
	useFakeVMM(t)
	p := fakeRun(t, "signals", nil)
	for _, s := range []struct {
		signal syscall.Signal
		line   string
	}{{syscall.SIGUSR1, "signal 10\n"}, {syscall.SIGHUP, "signal 1\n"}, {syscall.SIGINT, "signal 2\n"}} {
		time.Sleep(200 * time.Millisecond)
		p.signal(s.signal)
		if _, err := p.waitLine(p.stdout, s.line); err != nil {
			t.Fatal(err)
		}
	}
	p.signal(syscall.SIGTERM)
	if r := p.wait(); r.code != 4 || r.trouble != "" {
		t.Error(r.report())
	}
	p = fakeRun(t, "hang", nil)
	time.Sleep(300 * time.Millisecond)
	p.signal(syscall.SIGTERM)
	time.Sleep(100 * time.Millisecond)
	p.signal(syscall.SIGTERM)
	if r := p.wait(); r.code != 143 || r.trouble != "" {
		t.Error(r.report())
	}
}

// TestKilledCommand: the machine goes with the command, whatever happens to it.
func TestKilledCommand(t *testing.T) {
	useFakeVMM(t)
	p := fakeRun(t, "hang", nil)
	time.Sleep(300 * time.Millisecond)
	p.signal(syscall.SIGKILL)
	if r := p.wait(); r.code != 137 || r.trouble != "" {
		t.Error(r.report())
	}
}
