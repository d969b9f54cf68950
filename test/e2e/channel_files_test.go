package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// fakeWith starts the command on files that the caller has, with fakevmm for QEMU.
func fakeWith(t *testing.T, part string, in, out, err *os.File, attr *syscall.SysProcAttr, flags ...string) (*exec.Cmd, chan int) {
	t.Helper()
	args := append(append([]string{"run", "--accel", "tcg"}, flags...), program(firstConfig(t).release, "hello"))
	cmd := exec.Command(gosolo, args...)
	cmd.Env = append(os.Environ(), "FAKE_VMM="+part)
	cmd.SysProcAttr = attr
	if in != nil {
		cmd.Stdin = in
	}
	if out != nil {
		cmd.Stdout = out
	}
	if err != nil {
		cmd.Stderr = err
	}
	if e := cmd.Start(); e != nil {
		t.Fatal(e)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	ended := make(chan int, 1)
	go func() {
		cmd.Wait()
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if status.Signaled() {
			ended <- 1000 + int(status.Signal())
		}
		ended <- status.ExitStatus()
	}()
	return cmd, ended
}

func codeOf(t *testing.T, ended chan int) int {
	t.Helper()
	select {
	case code := <-ended:
		return code
	case <-time.After(time.Minute):
		t.Fatal("does not end")
		return 0
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// TestStuckReader: who reads the output has stopped, of one stream or of both, at a pipe or at a
// terminal; --timeout still holds, and the second SIGTERM still ends it.
func TestStuckReader(t *testing.T) {
	useFakeVMM(t)
	places := map[string]func() (out, err *os.File){
		"one_pipe":  func() (out, err *os.File) { _, w := pipe(t); return w, w },
		"two_pipes": func() (out, err *os.File) { _, w := pipe(t); _, w2 := pipe(t); return w, w2 },
		"terminal":  func() (out, err *os.File) { _, tty := openTerminal(t); return tty, tty },
		"output":    func() (out, err *os.File) { _, tty := openTerminal(t); return tty, nil },
		"error":     func() (out, err *os.File) { _, w := pipe(t); return nil, w },
	}
	for name, open := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := open()
			_, ended := fakeWith(t, "flood", nil, out, err, nil, "--timeout", "300ms")
			if code := codeOf(t, ended); code != 125 {
				t.Errorf("exit code %d with --timeout", code)
			}
			out, err = open()
			cmd, ended := fakeWith(t, "flood", nil, out, err, nil)
			time.Sleep(300 * time.Millisecond)
			cmd.Process.Signal(syscall.SIGTERM)
			time.Sleep(100 * time.Millisecond)
			cmd.Process.Signal(syscall.SIGTERM)
			if code := codeOf(t, ended); code != 143 {
				t.Errorf("exit code %d after two SIGTERM", code)
			}
		})
	}
}

// TestTraceIntoNothing: a trace whose reader has gone ends the run, as a program's output does.
func TestTraceIntoNothing(t *testing.T) {
	useFakeVMM(t)
	r, w := pipe(t)
	_, ended := fakeWith(t, "log", nil, nil, w, nil, "--strace")
	w.Close()
	if _, err := io.ReadFull(r, make([]byte, 100_000)); err != nil {
		t.Error(err)
	}
	r.Close()
	if code := codeOf(t, ended); code != 128+int(syscall.SIGPIPE) {
		t.Errorf("exit code %d", code)
	}
}

// TestDeadAndSlow: QEMU has died, and its last output finds a slow reader: that is waited for, not
// spun for.
func TestDeadAndSlow(t *testing.T) {
	useFakeVMM(t)
	r, w := pipe(t)
	cmd, ended := fakeWith(t, "fill-and-die", nil, w, nil, nil)
	w.Close()
	time.Sleep(2 * time.Second)
	b, _ := io.ReadAll(r)
	code := codeOf(t, ended)
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if code != 125 || bytes.Count(b, []byte("o")) != 200_000 || used > time.Second {
		t.Errorf("exit code %d, %d bytes, %v of CPU time", code, len(b), used)
	}
}

// TestTerminalBesideAPipe: settings do not wait for what does not go to the terminal.
func TestTerminalBesideAPipe(t *testing.T) {
	useFakeVMM(t)
	_, tty := openTerminal(t)
	_, w := pipe(t)
	fakeWith(t, "set-terminal", tty, w, nil, &syscall.SysProcAttr{Setsid: true, Setctty: true})
	for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(10 * time.Millisecond) {
		var now syscall.Termios
		ioctl(t, tty, syscall.TCGETS, uintptr(unsafe.Pointer(&now)))
		if now.Iflag&0x40000000 != 0 {
			return
		}
	}
	t.Error("the terminal is never set")
}

// TestTerminalInOrder: what was written before the terminal was set is shown by the settings of then,
// what was written after by the new ones, here that a new line is no carriage return.
func TestTerminalInOrder(t *testing.T) {
	useFakeVMM(t)
	person, tty := openTerminal(t)
	_, ended := fakeWith(t, "order", tty, tty, nil, &syscall.SysProcAttr{Setsid: true, Setctty: true})
	screen := make([]byte, len("before\r\nafter\n"))
	io.ReadFull(person, screen)
	if code := codeOf(t, ended); code != 0 || string(screen) != "before\r\nafter\n" {
		t.Errorf("exit code %d, on the screen %q", code, screen)
	}
}

// TestWindow: the size of the terminal's window is told whichever of the standard files it is.
func TestWindow(t *testing.T) {
	useFakeVMM(t)
	person, tty := openTerminal(t)
	size := [4]uint16{33, 77}
	ioctl(t, person, syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(&size)))
	for _, which := range []string{"input", "error"} {
		r, w := pipe(t)
		in, err := tty, (*os.File)(nil)
		if which == "error" {
			in, err = nil, tty
		}
		_, ended := fakeWith(t, "window", in, w, err, &syscall.SysProcAttr{Setsid: true})
		w.Close()
		b, _ := io.ReadAll(r)
		if code := codeOf(t, ended); code != 0 || string(b) != "33 77\n" {
			t.Errorf("%s: exit code %d, %q", which, code, b)
		}
	}
}

// TestForeignTerminal: standard input is a terminal, but not the one that controls us.
func TestForeignTerminal(t *testing.T) {
	useFakeVMM(t)
	person, tty := openTerminal(t)
	r, w := pipe(t)
	_, ended := fakeWith(t, "cat", tty, w, nil, &syscall.SysProcAttr{Setsid: true})
	w.Close()
	person.WriteString("typed\n\x04")
	code := codeOf(t, ended)
	if b, _ := io.ReadAll(r); code != 0 || string(b) != "typed\n" {
		t.Errorf("exit code %d, %q", code, b)
	}
}

// TestStop: Ctrl-Z stops a run that somebody can let go on, and no other.
func TestStop(t *testing.T) {
	useFakeVMM(t)
	state := func(cmd *exec.Cmd) string {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
		_, after, _ := strings.Cut(string(b), ") ")
		return after[:min(1, len(after))]
	}
	for name, attr := range map[string]*syscall.SysProcAttr{
		"shell": {Setpgid: true}, "orphan": {Setsid: true},
	} {
		t.Run(name, func(t *testing.T) {
			r, w := pipe(t)
			cmd, ended := fakeWith(t, "signals", nil, w, nil, attr)
			w.Close()
			if _, err := io.ReadFull(r, make([]byte, len("ready\n"))); err != nil {
				t.Fatal(err)
			}
			cmd.Process.Signal(syscall.SIGTSTP)
			time.Sleep(500 * time.Millisecond)
			if s := state(cmd); (s == "T") != (name == "shell") {
				t.Errorf("state %s", s)
			}
			cmd.Process.Signal(syscall.SIGCONT)
			cmd.Process.Signal(syscall.SIGTERM)
			if code := codeOf(t, ended); code != 4 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}
