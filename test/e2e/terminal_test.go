package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

func ioctl(t *testing.T, f *os.File, request, arg uintptr) {
	t.Helper()
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, arg); e != 0 {
		t.Fatalf("ioctl %#x: %v", request, e)
	}
}

// openTerminal makes a terminal: what a person has, and what programs have.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIP: no terminals here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	var zero, number int32
	ioctl(t, person, 0x40045431 /* TIOCSPTLCK */, uintptr(unsafe.Pointer(&zero)))
	ioctl(t, person, 0x80045430 /* TIOCGPTN */, uintptr(unsafe.Pointer(&number)))
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// talk starts the command on a terminal, types, and returns what the screen showed and how the
// terminal was set before and after.
func talk(t *testing.T, cmd *exec.Cmd) (screen string, before, after syscall.Termios) {
	t.Helper()
	person, program := openTerminal(t)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	ioctl(t, program, syscall.TCGETS, uintptr(unsafe.Pointer(&before)))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(2*time.Minute, func() { cmd.Process.Kill() })
	defer kill.Stop()
	shown := make(chan string)
	go func() {
		b := make([]byte, 1000)
		for {
			n, err := person.Read(b)
			if err != nil {
				close(shown)
				return
			}
			shown <- string(b[:n])
		}
	}()
	until := func(text string) {
		for !strings.Contains(screen, text) {
			select {
			case s := <-shown:
				screen += s
			case <-time.After(2 * time.Minute):
				cmd.Process.Kill()
				t.Fatalf("no %q on the screen: %q\n%s", text, screen, stderr.String())
			}
		}
	}
	until("raw: true\r\n")
	time.Sleep(200 * time.Millisecond) // the terminal is set soon after the program has asked
	person.WriteString("a\x03\x1a\r")
	until("back: true\r\n")
	size := [4]uint16{33, 77}
	time.Sleep(200 * time.Millisecond)
	ioctl(t, person, syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(&size)))
	until("window: 33 77\r\n")
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end: %v\n%s", err, stderr.String())
	}
	ioctl(t, program, syscall.TCGETS, uintptr(unsafe.Pointer(&after)))
	return screen, before, after
}

// TestTerminal: a program that sets its terminal to raw mode gets each key as it is, nothing is
// echoed, Ctrl-C and Ctrl-Z are bytes; and it is all as on Linux.
func TestTerminal(t *testing.T) {
	c := firstConfig(t)
	linux, _, _ := talk(t, exec.Command(program(c.release, "core"), "terminal"))
	machine, before, after := talk(t, exec.Command(gosolo, "run", "-c", c.cpus, program(c.release, "core"), "terminal"))
	if linux != machine {
		t.Errorf("on Linux %q, in the machine %q", linux, machine)
	}
	if before != after {
		t.Errorf("the terminal is not as it was: %+v, then %+v", before, after)
	}
}
