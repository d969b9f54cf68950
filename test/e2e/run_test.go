package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// job is one program to run.
type job struct {
	binary  string   // of the guest programs
	args    []string // of the program
	env     []string // K=V
	stdin   io.Reader
	flags   []string      // of `gosolo run`, for the machine only
	memory  string        // -m; default 256M
	timeout time.Duration // default 2 minutes: emulation is slow, and so are busy hosts
}

// result is how a program ended.
type result struct {
	stdout, stderr []byte
	code           int // 128+n when a signal ended it
	trouble        string
	log            string // what the machine's kernel said
	took           time.Duration
}

func (r result) report() string {
	return fmt.Sprintf("exit code %d after %v %s\n--- stdout\n%s\n--- stderr\n%s\n--- log\n%s",
		r.code, r.took.Round(time.Millisecond), r.trouble, tail(r.stdout), tail(r.stderr), tail([]byte(r.log)))
}

func tail(b []byte) string {
	const most = 6000
	if len(b) > most {
		return fmt.Sprintf("(%d bytes before)...%s", len(b)-most, b[len(b)-most:])
	}
	return string(b)
}

// output collects what a process writes, and lets others wait for a line.
type output struct {
	mu    sync.Mutex
	data  []byte
	grown chan struct{} // closed and replaced at every write
}

func newOutput() *output { return &output{grown: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.data = append(o.data, b...)
	close(o.grown)
	o.grown = make(chan struct{})
	return len(b), nil
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.data)
}

// running is a process that has been started, with what is needed to see that nothing of it stays.
type running struct {
	cmd            *exec.Cmd
	stdout, stderr *output
	started        time.Time
	ended          chan struct{}
	err            error
	timedOut       bool
	tmp            string // TMPDIR of its own; "": a native run
	logFile        string
}

// grace is how long a process that was asked to dump its goroutines has for it.
const grace = 10 * time.Second

func (p *running) start(timeout time.Duration) error {
	p.stdout, p.stderr, p.ended = newOutput(), newOutput(), make(chan struct{})
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 5 * time.Second // a helper that keeps an output open must not hang the test
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	go func() {
		select {
		case <-p.ended:
		case <-time.After(timeout):
			p.timedOut = true
			p.stop()
		}
	}()
	return nil
}

// stop asks for a dump of all goroutines, which Go gives on SIGQUIT, and then kills.
func (p *running) stop() {
	p.signal(syscall.SIGQUIT)
	select {
	case <-p.ended:
	case <-time.After(grace):
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
}

func (p *running) signal(sig syscall.Signal) { p.cmd.Process.Signal(sig) }

// waitLine waits until the output holds text, and returns what it holds by then.
func (p *running) waitLine(o *output, text string) (string, error) {
	for {
		o.mu.Lock()
		have, grown := string(o.data), o.grown
		o.mu.Unlock()
		if strings.Contains(have, text) {
			return have, nil
		}
		select {
		case <-grown:
		case <-p.ended:
			if strings.Contains(string(o.bytes()), text) {
				continue
			}
			return "", fmt.Errorf("ended without %q: %s", text, p.wait().report())
		}
	}
}

func (p *running) wait() result {
	<-p.ended
	r := result{stdout: p.stdout.bytes(), stderr: p.stderr.bytes(), took: time.Since(p.started)}
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	r.code = status.ExitStatus()
	if status.Signaled() {
		r.code = 128 + int(status.Signal())
	}
	if p.timedOut {
		r.trouble = "(timed out; what it said when asked to dump its goroutines is below)"
	}
	if p.logFile != "" {
		b, _ := os.ReadFile(p.logFile)
		r.log = string(b)
	}
	if p.tmp != "" {
		if left := p.leftovers(); left != "" {
			r.trouble += " left behind: " + left
		}
	}
	return r
}

// leftovers names the files in the run's TMPDIR and the processes that were started with it.
func (p *running) leftovers() string {
	var left []string
	for try := 0; try < 20; try++ {
		left = nil
		entries, _ := os.ReadDir(p.tmp)
		for _, e := range entries {
			left = append(left, "file "+e.Name())
		}
		left = append(left, processesWith("TMPDIR="+p.tmp)...)
		if left == nil {
			return ""
		}
		time.Sleep(50 * time.Millisecond)
	}
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	return strings.Join(left, ", ")
}

// processesWith names the processes that have an entry in their environment.
func processesWith(entry string) (names []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && bytes.Contains(append([]byte{0}, b...), []byte("\x00"+entry+"\x00")) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline"))
			names = append(names, fmt.Sprintf("process %s (%.60s)", filepath.Base(filepath.Dir(f)),
				strings.ReplaceAll(string(line), "\x00", " ")))
		}
	}
	return names
}

// startNative starts a job on this Linux, in an empty directory.
func startNative(t *testing.T, c config, j job) *running {
	t.Helper()
	cmd := exec.Command(program(c.release, j.binary), j.args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=/usr/bin:/bin", "HOME=/", "GOMAXPROCS="}, j.env...)
	cmd.Stdin = j.stdin
	p := &running{cmd: cmd}
	if err := p.start(j.limit()); err != nil {
		t.Fatal(err)
	}
	return p
}

// startMachine starts a job in a machine.
func startMachine(t *testing.T, c config, j job) *running {
	t.Helper()
	memory := j.memory
	if memory == "" {
		memory = "256M"
	}
	logFile := filepath.Join(t.TempDir(), "kernel.log")
	args := []string{"run", "-m", memory, "-c", c.cpus, "--log", logFile}
	if machine != "" {
		args = append(args, "--machine", machine)
	}
	for _, e := range j.env {
		args = append(args, "-e", e)
	}
	args = append(append(args, j.flags...), program(c.release, j.binary))
	p := startCommand(t, j.stdin, j.limit(), append(args, j.args...)...)
	p.logFile = logFile
	return p
}

// startCommand starts the gosolo command itself.
func startCommand(t *testing.T, stdin io.Reader, timeout time.Duration, args ...string) *running {
	t.Helper()
	cmd := exec.Command(gosolo, args...)
	cmd.Stdin = stdin
	return startOwn(t, cmd, timeout)
}

// startOwn starts a process that must leave nothing behind, in a TMPDIR of its own.
func startOwn(t *testing.T, cmd *exec.Cmd, timeout time.Duration) *running {
	t.Helper()
	p := &running{cmd: cmd, tmp: t.TempDir()}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "TMPDIR="+p.tmp)
	if err := p.start(timeout); err != nil {
		t.Fatal(err)
	}
	return p
}

func (j job) limit() time.Duration {
	if j.timeout == 0 {
		return 2 * time.Minute
	}
	return j.timeout
}
