package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"gosolo/progs/prog"
)

// pair is a TCP connection of this program with itself: the client's end and the server's.
func pair() (client, server *net.TCPConn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	prog.Must(err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	prog.Must(err)
	s, err := l.Accept()
	prog.Must(err)
	prog.Check(c.LocalAddr().String() == s.RemoteAddr().String(), "%v is not %v", c.LocalAddr(), s.RemoteAddr())
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// loopbackMain sends 8 MB each way at once over one connection.
func loopbackMain([]string) {
	c, s := pair()
	data := make([]byte, 8_000_000)
	prog.Pattern(data, 1)
	var wg sync.WaitGroup
	for _, end := range []*net.TCPConn{c, s} {
		wg.Add(2)
		go func() {
			defer wg.Done()
			_, err := end.Write(data)
			prog.Must(err)
			prog.Must(end.CloseWrite())
		}()
		go func() {
			defer wg.Done()
			got, err := io.ReadAll(end)
			prog.Must(err)
			prog.Check(bytes.Equal(got, data), "got %d other bytes", len(got))
		}()
	}
	wg.Wait()
	fmt.Println("both ways", len(data))
}

func halfCloseMain([]string) {
	c, s := pair()
	_, err := c.Write([]byte("question"))
	prog.Must(err)
	prog.Must(c.CloseWrite())
	got, err := io.ReadAll(s)
	fmt.Printf("%s %v\n", got, err)
	n, err := s.Read(make([]byte, 1))
	fmt.Println("end again", n, err)
	_, err = s.Write([]byte("answer"))
	prog.Must(err)
	prog.Must(s.Close())
	got, err = io.ReadAll(c)
	fmt.Printf("%s %v\n", got, err)
	_, err = c.Write([]byte("more"))
	fmt.Println("write after CloseWrite", errors.Is(err, syscall.EPIPE))

	c, s = pair()
	prog.Must(s.CloseRead())
	prog.Must(s.Close())
	fmt.Println("broken pipe", writeUntilError(c))
}

// writeUntilError writes to a connection whose other end is gone.
func writeUntilError(c net.Conn) error {
	for i := 0; i < 1000; i++ {
		_, err := c.Write(make([]byte, 1000))
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
			return nil
		} else if err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("no error")
}

func refusedMain([]string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	prog.Must(err)
	addr := l.Addr().String()
	_, err = net.Listen("tcp", addr)
	fmt.Println("in use", errors.Is(err, syscall.EADDRINUSE))
	prog.Must(l.Close())
	for i := 0; i < 3; i++ {
		_, err = net.Dial("tcp", addr)
		fmt.Println("refused", errors.Is(err, syscall.ECONNREFUSED))
	}
	l, err = net.Listen("tcp", addr)
	fmt.Println("listen again", err)
	prog.Must(l.Close())
	_, err = net.Listen("tcp", "192.0.2.1:80")
	fmt.Println("not ours", errors.Is(err, syscall.EADDRNOTAVAIL))
}

func deadlinesMain([]string) {
	c, s := pair()
	start := time.Now()
	prog.Must(c.SetReadDeadline(start.Add(100 * time.Millisecond)))
	_, err := c.Read(make([]byte, 1))
	fmt.Println("read", errors.Is(err, os.ErrDeadlineExceeded), time.Since(start) >= 100*time.Millisecond)
	prog.Must(c.SetReadDeadline(time.Time{}))
	go func() {
		time.Sleep(50 * time.Millisecond)
		s.Write([]byte("x"))
	}()
	n, err := c.Read(make([]byte, 1))
	fmt.Println("read after it", n, err)

	prog.Must(c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)))
	for err = nil; err == nil; { // nobody reads: the buffers fill up
		_, err = c.Write(make([]byte, 1<<20))
	}
	fmt.Println("write", errors.Is(err, os.ErrDeadlineExceeded))

	time.AfterFunc(50*time.Millisecond, func() { s.Close() })
	_, err = io.Copy(io.Discard, onlyReader{s})
	fmt.Println("closed under a reader", errors.Is(err, net.ErrClosed))

	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	prog.Must(err)
	prog.Must(l.SetDeadline(time.Now().Add(50 * time.Millisecond)))
	_, err = l.Accept()
	fmt.Println("accept", errors.Is(err, os.ErrDeadlineExceeded))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	fmt.Println("dial", errors.Is(err, context.Canceled))
}

// onlyReader hides every method but Read, so that io.Copy does not look for a faster way.
type onlyReader struct{ io.Reader }

// copyMain is a proxy: io.Copy from one TCP connection to another, which Go tries by splice.
func copyMain([]string) {
	in, proxyIn := pair()
	proxyOut, out := pair()
	data := make([]byte, 3_000_000)
	prog.Pattern(data, 4)
	go func() {
		_, err := in.Write(data)
		prog.Must(err)
		prog.Must(in.CloseWrite())
	}()
	go func() {
		n, err := io.Copy(proxyOut, proxyIn)
		prog.Check(n == int64(len(data)) && err == nil, "copied %d %v", n, err)
		prog.Must(proxyOut.CloseWrite())
	}()
	got, err := io.ReadAll(out)
	fmt.Println("proxied", bytes.Equal(got, data), err)

	prog.Must(os.WriteFile("/tmp/served", data, 0o600))
	f, err := os.Open("/tmp/served")
	prog.Must(err)
	c, s := pair()
	go func() {
		n, err := io.Copy(s, f) // by sendfile where there is one
		prog.Check(n == int64(len(data)) && err == nil, "sent %d %v", n, err)
		prog.Must(s.Close())
	}()
	got, err = io.ReadAll(c)
	fmt.Println("file served", bytes.Equal(got, data), err)
	prog.Must(os.Remove("/tmp/served"))

	c, s = pair()
	go func() {
		bufs := net.Buffers{[]byte("one "), nil, []byte("two "), data[:100_000]}
		_, err := bufs.WriteTo(s)
		prog.Must(err)
		s.Close()
	}()
	got, err = io.ReadAll(c)
	fmt.Println("buffers", len(got), bytes.Equal(got[8:], data[:100_000]), err)
}

func resetMain([]string) {
	c, s := pair()
	prog.Must(s.SetLinger(0))
	prog.Must(s.Close())
	_, err := c.Read(make([]byte, 1))
	fmt.Println("linger 0", errors.Is(err, syscall.ECONNRESET))

	c, s = pair()
	_, err = c.Write([]byte("unread"))
	prog.Must(err)
	time.Sleep(20 * time.Millisecond)
	prog.Must(s.Close()) // with unread data
	_, err = c.Read(make([]byte, 1))
	fmt.Println("unread data", errors.Is(err, syscall.ECONNRESET))

	c, _ = pair()
	fmt.Println("options", c.SetNoDelay(false), c.SetNoDelay(true), c.SetKeepAlive(true),
		c.SetKeepAlivePeriod(30*time.Second), c.SetReadBuffer(100_000), c.SetWriteBuffer(100_000))
}

func udpMain([]string) {
	a, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	prog.Must(err)
	b, err := net.DialUDP("udp", nil, a.LocalAddr().(*net.UDPAddr))
	prog.Must(err)
	buf := make([]byte, 64<<10)
	for _, size := range []int{0, 1, 1472, 1473, 9000, 65_507} {
		sent := make([]byte, size)
		prog.Pattern(sent, uint64(size))
		_, err := b.Write(sent)
		if err != nil {
			fmt.Println("size", size, err)
			continue
		}
		n, from, err := a.ReadFromUDP(buf)
		fmt.Println("size", size, bytes.Equal(buf[:n], sent), from.Port == b.LocalAddr().(*net.UDPAddr).Port, err)
	}
	_, err = b.Write(make([]byte, 65_508))
	fmt.Println("too long", errors.Is(err, syscall.EMSGSIZE))
	_, err = b.Write([]byte("longer than the buffer"))
	prog.Must(err)
	n, _, err := a.ReadFromUDP(buf[:6])
	fmt.Printf("cut %q %v\n", buf[:n], err)

	prog.Must(a.SetReadDeadline(time.Now().Add(50 * time.Millisecond)))
	_, _, err = a.ReadFromUDP(buf)
	fmt.Println("deadline", errors.Is(err, os.ErrDeadlineExceeded))
	prog.Must(a.Close())
	_, err = b.Write([]byte("x")) // nobody there: an error comes back
	prog.Must(err)
	prog.Must(b.SetReadDeadline(time.Now().Add(5 * time.Second)))
	_, err = b.Read(buf)
	fmt.Println("nobody there", errors.Is(err, syscall.ECONNREFUSED))
}

// localhostMain: the name resolves without a name server.
func localhostMain([]string) {
	addrs, err := net.DefaultResolver.LookupIP(context.Background(), "ip4", "localhost")
	fmt.Println(addrs, err)
	l, err := net.Listen("tcp4", "localhost:0")
	prog.Must(err)
	go func() {
		c, err := l.Accept()
		prog.Must(err)
		fmt.Fprint(c, "hello")
		c.Close()
	}()
	_, port, err := net.SplitHostPort(l.Addr().String())
	prog.Must(err)
	c, err := net.Dial("tcp", "localhost:"+port)
	prog.Must(err)
	got, err := io.ReadAll(c)
	fmt.Printf("%s %v\n", got, err)
}

// manyMain opens N connections at once; every one answers.
func manyMain(args []string) {
	n := prog.Int(args, 0, 200)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	prog.Must(err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	var wg, open sync.WaitGroup
	open.Add(n)
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := net.Dial("tcp", l.Addr().String())
			prog.Must(err)
			open.Done()
			open.Wait() // all of them are open now
			text := fmt.Sprintf("connection %d of %d", i, n)
			_, err = io.WriteString(c, text)
			prog.Must(err)
			prog.Must(c.(*net.TCPConn).CloseWrite())
			got, err := io.ReadAll(c)
			prog.Check(err == nil && string(got) == text, "%d got %q %v", i, got, err)
			prog.Must(c.Close())
		}()
	}
	wg.Wait()
	fmt.Println("all answered", n)
}

func acceptCloseMain([]string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	prog.Must(err)
	time.AfterFunc(50*time.Millisecond, func() { l.Close() })
	_, err = l.Accept()
	fmt.Println("closed", errors.Is(err, net.ErrClosed))
}

// lastBytesMain: what was written just before Close arrives, a thousand times.
func lastBytesMain([]string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	prog.Must(err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write(make([]byte, 5000))
			c.Close()
		}
	}()
	for i := 0; i < 300; i++ {
		c, err := net.Dial("tcp", l.Addr().String())
		prog.Must(err)
		got, err := io.ReadAll(c)
		prog.Check(len(got) == 5000 && err == nil, "connection %d gave %d bytes, %v", i, len(got), err)
		prog.Must(c.Close())
	}
	fmt.Println("nothing lost")
}

func addressesMain([]string) {
	l, err := net.Listen("tcp4", ":0")
	prog.Must(err)
	a := l.Addr().(*net.TCPAddr)
	fmt.Println(a.IP, a.Port > 0)
	c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", a.Port))
	prog.Must(err)
	s, err := l.Accept()
	prog.Must(err)
	fmt.Println(c.RemoteAddr().(*net.TCPAddr).IP, s.LocalAddr().(*net.TCPAddr).IP, s.RemoteAddr().Network())
	conn, err := net.Dial("udp4", "127.0.0.1:9")
	prog.Must(err)
	fmt.Println(conn.LocalAddr().(*net.UDPAddr).IP, conn.RemoteAddr())
}
