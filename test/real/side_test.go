package real

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait: emulation is slow, and so are busy hosts.
const patience = 3 * time.Minute

// side is where a program runs: on this Linux or in a machine, with what differs between them.
type side struct {
	isMachine bool
	cpus      string
	dir       string            // on the host; in the machine it is /work
	ports     map[string]string // guest's port to the host's
	udp       map[string]bool   // those of them that take datagrams, too
	env       []string          // NAME=value, for the program
	input     string            // its standard input
}

// bothSides holds a conversation with a program on Linux and in the machine. f returns how the
// program ended and what else must agree.
func bothSides(t *testing.T, f func(t *testing.T, s *side) string) {
	var linux string
	ok := t.Run("linux", func(t *testing.T) { linux = f(t, newSide(t, false, "")) })
	if !ok {
		t.Fatal("that was on Linux")
	}
	for _, cpus := range strings.Fields(setting("GOSOLO_CPUS", "1 2")) {
		t.Run("machine_"+cpus, func(t *testing.T) {
			if got := f(t, newSide(t, true, cpus)); got != linux {
				t.Errorf("on Linux: %s\nin the machine: %s", linux, got)
			}
		})
	}
}

func newSide(t *testing.T, isMachine bool, cpus string) *side {
	return &side{isMachine: isMachine, cpus: cpus, dir: t.TempDir(), ports: map[string]string{}, udp: map[string]bool{}}
}

// file stores a file that the program finds under the path returned.
func (s *side) file(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return s.path(name)
}

// path is where the program finds, or makes, a file.
func (s *side) path(name string) string {
	if s.isMachine {
		return "/work/" + name
	}
	return filepath.Join(s.dir, name)
}

// port returns a port that the program can listen on, and the host's address that reaches it.
func (s *side) port(t *testing.T) (port, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, host, _ := net.SplitHostPort(l.Addr().String())
	port = host
	if s.isMachine {
		port = fmt.Sprint(7000 + len(s.ports))
	}
	s.ports[port] = host
	return port, "127.0.0.1:" + host
}

// host is the address under which the program reaches this host.
func (s *side) host() string {
	if s.isMachine {
		return "10.0.2.2"
	}
	return "127.0.0.1"
}

// process is a program that has been started.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr buffer
	log            string
	ended          chan struct{}
	err            error
}

type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// start starts a program; the test's end kills it, and a failed test shows what it said.
func (s *side) start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{ended: make(chan struct{}), log: filepath.Join(t.TempDir(), "log")}
	binary := program(t, name)
	if s.isMachine {
		all := []string{"run", "-m", "768M", "-c", s.cpus, "-e", "HOME=/work", "--log", p.log, "--add", s.dir + ":/work"}
		for guest, host := range s.ports {
			all = append(all, "-p", "127.0.0.1:"+host+":"+guest)
			if s.udp[guest] {
				all = append(all, "-p", "127.0.0.1:"+host+":"+guest+"/udp")
			}
		}
		for _, e := range s.env {
			all = append(all, "-e", e)
		}
		all = append(append(all, strings.Fields(os.Getenv("REAL_FLAGS"))...), binary)
		p.cmd = exec.Command(gosolo(), append(all, args...)...)
	} else {
		p.cmd = exec.Command(binary, args...)
		p.cmd.Dir = s.dir
		p.cmd.Env = append([]string{"HOME=" + s.dir}, s.env...)
	}
	if s.input != "" {
		p.cmd.Stdin = strings.NewReader(s.input)
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			log, _ := os.ReadFile(p.log)
			t.Logf("%v\n--- stdout\n%s\n--- stderr\n%s\n--- log\n%s", p.cmd.Args,
				tail(p.stdout.String()), tail(p.stderr.String()), tail(string(log)))
		}
	})
	return p
}

func tail(s string) string {
	if n := len(s) - 8000; n > 0 {
		return "..." + s[n:]
	}
	return s
}

// wait waits for the program's end, and returns its exit code.
func (p *process) wait(t *testing.T) string {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatal("the program does not end")
	}
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return fmt.Sprint("exit code ", 128+int(status.Signal()))
	}
	return fmt.Sprint("exit code ", status.ExitStatus())
}

// stop asks for an orderly end.
func (p *process) stop(t *testing.T) string {
	t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	return p.wait(t)
}

// eventually repeats f until it succeeds.
func (p *process) eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	end := time.Now().Add(patience)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %v", what, err)
		}
		select {
		case <-p.ended:
			t.Fatalf("%s: the program has ended: %v", what, p.err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// ask sends a request, and returns the body of an answer with that status.
func ask(c *http.Client, method, url, body string, status int) (string, error) {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := c.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != status {
		err = fmt.Errorf("%s %s: %s: %s", method, url, answer.Status, data)
	}
	return string(data), err
}

func must(t *testing.T, text string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
