package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"gosolo/progs/prog"
)

// tcpEchoMain answers on the address it is given and ends when a client has sent "quit\n" alone. Then
// it shows the file that the second argument names.
func tcpEchoMain(args []string) {
	l, err := net.Listen("tcp", args[0])
	prog.Must(err)
	quit := make(chan bool, 1)
	fmt.Println("listening")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 64<<10)
				for {
					n, err := c.Read(b)
					if n == 5 && string(b[:5]) == "quit\n" {
						quit <- true
						return
					}
					if _, werr := c.Write(b[:n]); err != nil || werr != nil {
						return
					}
				}
			}()
		}
	}()
	<-quit
	fmt.Println(l.Close())
	if len(args) > 1 {
		text, err := os.ReadFile(args[1])
		prog.Must(err)
		os.Stdout.Write(text)
	}
}

func udpEchoMain(args []string) {
	c, err := net.ListenPacket("udp", args[0])
	prog.Must(err)
	fmt.Println("listening")
	b := make([]byte, 64<<10)
	for {
		n, from, err := c.ReadFrom(b)
		prog.Must(err)
		if string(b[:n]) == "quit" {
			break
		}
		_, err = c.WriteTo(b[:n], from)
		prog.Must(err)
	}
	fmt.Println(c.Close())
}

// tcpClientMain sends a pattern to an echo server at the address and compares what comes back.
func tcpClientMain(args []string) {
	c, err := net.Dial("tcp", args[0])
	prog.Must(err)
	sent := make([]byte, prog.Int(args, 1, 1_000_000))
	prog.Pattern(sent, 3)
	go func() {
		_, err := c.Write(sent)
		prog.Must(err)
		prog.Must(c.(*net.TCPConn).CloseWrite())
	}()
	got, err := io.ReadAll(c)
	fmt.Println("echoed", len(got), bytes.Equal(got, sent), err)
	prog.Must(c.Close())
}

// udpClientMain sends datagrams of several sizes to an echo server; a lost one is sent again.
func udpClientMain(args []string) {
	c, err := net.Dial("udp", args[0])
	prog.Must(err)
	b := make([]byte, 64<<10)
	for _, size := range []int{1, 100, 1400, 0, 512} {
		sent := make([]byte, size)
		prog.Pattern(sent, uint64(size))
		n := -1
		for try := 0; try < 20 && n < 0; try++ {
			_, err = c.Write(sent)
			prog.Must(err)
			prog.Must(c.SetReadDeadline(time.Now().Add(time.Second)))
			if m, err := c.Read(b); err == nil {
				n = m
			}
		}
		fmt.Println("datagram", size, n == size && bytes.Equal(b[:n], sent))
	}
}

// drainMain is a server for a test of signals: it says that it is ready, and on SIGINT or SIGTERM
// closes the listener, lets the open connections end, and exits 0.
func drainMain(args []string) {
	l, err := net.Listen("tcp", args[0])
	prog.Must(err)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	done := make(chan bool)
	fmt.Println("listening")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(done)
				return
			}
			io.WriteString(c, "served\n")
			c.Close()
		}
	}()
	fmt.Println("got", <-stop)
	prog.Must(l.Close())
	<-done
	fmt.Println("drained")
}
