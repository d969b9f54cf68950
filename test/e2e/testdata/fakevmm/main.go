// Command fakevmm stands in for qemu-system-x86_64: it answers on the descriptors that gosolo
// hands to QEMU and plays the part of a guest, good or bad, that FAKE_VMM names.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	stdio   = os.NewFile(3, "stdio")
	stderr  = os.NewFile(4, "stderr")
	control = os.NewFile(5, "control")
	early   = os.NewFile(6, "early")
	monitor = os.NewFile(8, "monitor")
)

// The interface's version, as include/gosolo_abi.h has it: the test sets it when it builds this.
var abiVersion string

const (
	msgHello, msgLog, msgExit, msgStats    = 1, 2, 3, 4
	msgSetTerminal                         = 6
	msgTime, msgSignal, msgEOF, msgWinsize = 16, 17, 18, 19
	exitCode, exitSignal, exitNoMemory     = 0, 1, 2
	exitFault, exitBadImage                = 3, 4
)

func packed(kind uint16, payload []byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, kind)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	return append(b, payload...)
}

func message(kind uint16, payload []byte) { control.Write(packed(kind, payload)) }

func hello(version uint32) {
	b := make([]byte, 40)
	binary.LittleEndian.PutUint32(b, version)
	copy(b[8:], "fake")
	message(msgHello, b)
}

func exitRecord(kind, value uint32, text string) []byte {
	b := make([]byte, 256)
	binary.LittleEndian.PutUint32(b, kind)
	binary.LittleEndian.PutUint32(b[4:], value)
	copy(b[8:], text)
	return b
}

func exit(kind, value uint32, text string) {
	message(msgExit, exitRecord(kind, value, text))
	time.Sleep(time.Hour) // a guest that does not reset itself
}

// atOnce sends on the control port, and that the guest has reset, so that the command finds both at
// the same time: it stands still meanwhile.
func atOnce(bytes []byte) {
	command := os.Getppid()
	syscall.Kill(command, syscall.SIGSTOP)
	control.Write(bytes)
	monitor.WriteString(`{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}` + "\n")
	syscall.Kill(command, syscall.SIGCONT)
	time.Sleep(time.Hour)
}

func manyLines(count int) (all []byte) {
	for i := 0; i < count; i++ {
		line := append(binary.LittleEndian.AppendUint32(nil, 2), strings.Repeat("x", 500)...)
		all = append(all, packed(msgLog, line)...)
	}
	return all
}

// endlessLog is a guest that has much to say before it ends: more than the command reads at once.
func endlessLog(code int) {
	atOnce(append(manyLines(200), packed(msgExit, exitRecord(exitCode, uint32(code), ""))...))
}

// leave ends QEMU itself, while the command has a signal to pass on and more to read than it does at
// once.
func leave(code int) {
	command := os.Getppid()
	syscall.Kill(command, syscall.SIGSTOP)
	control.Write(append(manyLines(200), packed(msgExit, exitRecord(exitCode, uint32(code), ""))...))
	syscall.Kill(command, syscall.SIGUSR1)
	for fd := 3; fd <= 9; fd++ {
		syscall.Close(fd)
	}
	syscall.Kill(command, syscall.SIGCONT)
	os.Exit(0)
}

// setTerminal fills standard output, more than anybody takes, and wants raw mode behind some of it.
func setTerminal() {
	go stdio.WriteString(strings.Repeat("o", 10<<20))
	time.Sleep(100 * time.Millisecond)
	wish := make([]byte, 56)
	binary.LittleEndian.PutUint64(wish, 9<<20)
	binary.LittleEndian.PutUint32(wish[16:], 0x40000000) // a flag of c_iflag to be recognised by
	message(msgSetTerminal, wish)
	time.Sleep(time.Hour)
}

// order writes before and after it sets the terminal, behind much to read, and all of it at once.
func order() {
	command := os.Getppid()
	syscall.Kill(command, syscall.SIGSTOP)
	stdio.WriteString("before\n")
	wish := make([]byte, 56)
	binary.LittleEndian.PutUint64(wish, uint64(len("before\n")))
	control.Write(append(manyLines(200), packed(msgSetTerminal, wish)...))
	stdio.WriteString("after\n")
	syscall.Kill(command, syscall.SIGCONT)
	exit(exitCode, 0, "")
}

// falseTerminal wants the terminal to be set after output that never comes.
func falseTerminal(code int) {
	wish := make([]byte, 56)
	binary.LittleEndian.PutUint64(wish, 1<<40)
	atOnce(append(packed(msgSetTerminal, wish), packed(msgExit, exitRecord(exitCode, uint32(code), ""))...))
}

func log(level uint32, text string) {
	message(msgLog, append(binary.LittleEndian.AppendUint32(nil, level), text...))
}

func receive() (uint16, []byte) {
	var header [8]byte
	if _, err := io.ReadFull(control, header[:]); err != nil {
		os.Exit(9)
	}
	payload := make([]byte, binary.LittleEndian.Uint32(header[4:]))
	io.ReadFull(control, payload)
	return binary.LittleEndian.Uint16(header[:]), payload
}

// cat copies standard input to standard output until the host says where it ends.
func cat() {
	var lock sync.Mutex
	end, seen := int64(-1), int64(0)
	done := func() bool { lock.Lock(); defer lock.Unlock(); return end >= 0 && seen == end }
	go func() {
		for {
			if kind, payload := receive(); kind == msgEOF {
				lock.Lock()
				end = int64(binary.LittleEndian.Uint64(payload))
				lock.Unlock()
			}
		}
	}()
	go func() {
		buf := make([]byte, 65536)
		for {
			n, _ := stdio.Read(buf)
			stdio.Write(buf[:n])
			lock.Lock()
			seen += int64(n)
			lock.Unlock()
		}
	}()
	for !done() {
		time.Sleep(time.Millisecond)
	}
	exit(exitCode, 0, "")
}

func flood() {
	var both sync.WaitGroup
	for file, letter := range map[*os.File]string{stdio: "o", stderr: "e"} {
		both.Add(1)
		go func(file *os.File, letter string) {
			defer both.Done()
			for i := 0; i < 10*1024; i++ {
				file.WriteString(strings.Repeat(letter, 1024))
			}
		}(file, letter)
	}
	both.Wait()
	exit(exitCode, 0, "")
}

func signals() {
	stdio.WriteString("ready\n")
	for {
		kind, payload := receive()
		if kind != msgSignal {
			continue
		}
		number := binary.LittleEndian.Uint32(payload)
		fmt.Fprintf(stdio, "signal %d\n", number)
		if number == uint32(syscall.SIGTERM) {
			exit(exitCode, 4, "")
		}
	}
}

func main() {
	part, value, _ := strings.Cut(os.Getenv("FAKE_VMM"), "=")
	number, _ := strconv.Atoi(value)
	early.WriteString("early text\n")
	switch part {
	case "dead":
		fmt.Fprintln(os.Stderr, "fakevmm: something is wrong")
		os.Exit(1)
	case "killed":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "silent":
		time.Sleep(time.Hour)
	case "version":
		hello(99)
		time.Sleep(time.Hour)
	case "garbage":
		control.WriteString(strings.Repeat("\xff", 64))
		time.Sleep(time.Hour)
	case "early-exit":
		exit(exitCode, 0, "")
	}
	version, err := strconv.ParseUint(abiVersion, 10, 32)
	if err != nil {
		os.Exit(7)
	}
	hello(uint32(version))
	if kind, payload := receive(); kind != msgTime ||
		time.Since(time.Unix(0, int64(binary.LittleEndian.Uint64(payload)))).Abs() > time.Minute {
		os.Exit(8)
	}
	switch part {
	case "exit":
		exit(exitCode, uint32(number), "")
	case "signal":
		exit(exitSignal, uint32(number), "")
	case "no-memory":
		exit(exitNoMemory, 0, "vm_map_anon")
	case "fault":
		log(0, "page fault at 0x8")
		exit(exitFault, 0, "page fault in fake")
	case "bad-image":
		exit(exitBadImage, 0, "no XSAVE")
	case "much-to-say":
		endlessLog(number)
	case "false-terminal":
		falseTerminal(number)
	case "leave":
		leave(number)
	case "set-terminal":
		setTerminal()
	case "order":
		order()
	case "window":
		for {
			if kind, payload := receive(); kind == msgWinsize {
				fmt.Fprintln(stdio, binary.LittleEndian.Uint16(payload), binary.LittleEndian.Uint16(payload[2:]))
				exit(exitCode, 0, "")
			}
		}
	case "log":
		for {
			control.Write(manyLines(1))
		}
	case "fill-and-die":
		stdio.WriteString(strings.Repeat("o", 200_000))
		os.Exit(1)
	case "reset":
		log(2, "last words")
	case "hang":
		time.Sleep(time.Hour)
	case "stats":
		message(msgStats, []byte("calls 12 count\n"))
		exit(exitCode, 3, "")
	case "cat":
		cat()
	case "flood":
		flood()
	case "signals":
		signals()
	case "yes":
		for {
			stdio.WriteString(strings.Repeat("y\n", 1000))
		}
	}
}
