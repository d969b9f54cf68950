package main

import (
	"fmt"
	"io"
	"net"
	"syscall"
	"unsafe"

	"gosolo/progs/prog"
)

// urgentListenMain and urgentDialMain are the two sides of a conversation with urgent bytes: they do, and should see,
// the same.
func urgentListenMain(args []string) {
	l, err := net.Listen("tcp", args[0])
	prog.Must(err)
	fmt.Println("listening")
	c, err := l.Accept()
	prog.Must(err)
	urgentTalk(c)
}

func urgentDialMain(args []string) {
	c, err := net.Dial("tcp", args[0])
	prog.Must(err)
	urgentTalk(c)
}

func urgentTalk(c net.Conn) {
	f, err := c.(*net.TCPConn).File()
	prog.Must(err)
	prog.Must(c.Close())
	fd := int(f.Fd()) // it waits, from here on
	prog.Must(syscall.SetNonblock(fd, false))
	urgentRound(fd, nil)
	long := make([]byte, 100_000)
	prog.Pattern(long, 5)
	urgentRound(fd, long)
	prog.Must(syscall.Shutdown(fd, syscall.SHUT_WR))
	rest, err := io.ReadAll(f)
	fmt.Println("the end", len(rest), err)
}

// urgentRound sends before, an urgent '!' and "behind", and takes the same.
func urgentRound(fd int, before []byte) {
	sent := make(chan bool)
	go func() {
		for out := append(append([]byte{}, before...), '!'); len(out) > 0; {
			n, err := syscall.SendmsgN(fd, out, nil, nil, syscall.MSG_OOB)
			if err != syscall.EINTR {
				prog.Must(err)
				out = out[n:]
			}
		}
		urgentWrite(fd, "behind")
		close(sent)
	}()
	got := make([]byte, len(before))
	for n := 0; n < len(got); n += urgentRead(fd, got[n:]) {
	}
	fmt.Println("before it", len(got), string(got) == string(before))
	urgentWait(fd)
	<-sent
	var at int32
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), 0x8905, uintptr(unsafe.Pointer(&at))) // SIOCATMARK
	fmt.Println("at the mark", at, e)
	b := make([]byte, 9)
	n, _, err := syscall.Recvfrom(fd, b, syscall.MSG_OOB)
	fmt.Printf("urgent %q %v\n", b[:max(n, 0)], err)
	fmt.Printf("behind it %q\n", b[:urgentRead(fd, b[:6])])
	urgentWrite(fd, "k") // the next urgent byte would take the place of one that the other has not read yet
	urgentRead(fd, b[:1])
}

// urgentWait waits for an urgent byte.
func urgentWait(fd int) {
	p := struct {
		fd              int32
		events, revents int16
	}{int32(fd), 2, 0} // POLLPRI
	for {
		_, _, e := syscall.Syscall(syscall.SYS_POLL, uintptr(unsafe.Pointer(&p)), 1, 60_000)
		if e != syscall.EINTR {
			fmt.Println("events", p.revents, e)
			return
		}
	}
}

func urgentRead(fd int, b []byte) int {
	for {
		n, _, err := syscall.Recvfrom(fd, b, syscall.MSG_WAITALL)
		if err != syscall.EINTR {
			prog.Must(err)
			return n
		}
	}
}

func urgentWrite(fd int, text string) {
	_, err := syscall.Write(fd, []byte(text))
	prog.Must(err)
}
