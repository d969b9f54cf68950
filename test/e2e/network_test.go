package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// side is where a program runs: on this Linux or in a machine, with what differs between them.
type side struct {
	c         config
	isMachine bool
}

const guestPort = "7000"

// server starts a program that listens, and returns the address that reaches it. The last
// argument of the program is the address to listen on.
func (s side) server(t *testing.T, proto string, args ...string) (*running, string) {
	t.Helper()
	addr := "127.0.0.1:" + freePort(t)
	var p *running
	if s.isMachine {
		_, port, _ := net.SplitHostPort(addr)
		j := web(append(args, ":"+guestPort)...)
		j.flags = []string{"-p", port + ":" + guestPort + proto}
		p = startMachine(t, s.c, j)
	} else {
		p = startNative(t, s.c, web(append(args, addr)...))
	}
	if _, err := p.waitLine(p.stdout, "listening\n"); err != nil {
		t.Fatal(err)
	}
	return p, addr
}

// client starts a program that dials the host; the last argument is the address there.
func (s side) client(t *testing.T, before []string, addr string, after ...string) *running {
	t.Helper()
	if s.isMachine {
		_, port, _ := net.SplitHostPort(addr)
		addr = "10.0.2.2:" + port // the gateway of user networking is the host
	}
	args := append([]string(nil), before...)
	args[len(args)-1] += addr
	j := web(append(args, after...)...)
	if s.isMachine {
		return startMachine(t, s.c, j)
	}
	return startNative(t, s.c, j)
}

// bothSides holds a conversation with a program on each side; how the program ended must agree.
func bothSides(t *testing.T, f func(t *testing.T, s side) result) {
	eachConfig(t, func(t *testing.T, c config) {
		linux := f(t, side{c, false})
		if t.Failed() {
			t.Log("that was on Linux")
			return
		}
		compare(t, linux, f(t, side{c, true}), nil, nil)
	})
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	return c.(*net.TCPConn)
}

func TestTCPEchoFromTheHost(t *testing.T) {
	bothSides(t, func(t *testing.T, s side) result {
		p, addr := s.server(t, "", "tcp-echo")
		var wg sync.WaitGroup
		for i := 0; i < 4; i++ {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if err := echo(addr, pattern(500_000+i)); err != nil {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		c := dial(t, addr)
		defer c.Close()
		fmt.Fprint(c, "quit\n")
		return p.wait()
	})
}

// echo sends data to an echo server and demands it back.
func echo(addr string, data []byte) error {
	c, err := net.DialTimeout("tcp", addr, 30*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	go func() {
		c.Write(data)
		c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, data) {
		return fmt.Errorf("sent %d bytes, %d came back, equal %v: %v", len(data), len(got), bytes.Equal(got, data), err)
	}
	return nil
}

func TestUDPEchoFromTheHost(t *testing.T) {
	bothSides(t, func(t *testing.T, s side) result {
		p, addr := s.server(t, "/udp", "udp-echo")
		c, err := net.Dial("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		b := make([]byte, 64<<10)
		for _, size := range []int{1, 100, 1400} {
			back := false
			for try := 0; try < 20 && !back; try++ {
				c.Write(pattern(size))
				c.SetReadDeadline(time.Now().Add(time.Second))
				n, err := c.Read(b)
				back = err == nil && bytes.Equal(b[:n], pattern(size))
			}
			if !back {
				t.Errorf("no datagram of %d bytes came back", size)
			}
		}
		fmt.Fprint(c, "quit")
		return p.wait()
	})
}

func TestTCPClientOfTheHost(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	bothSides(t, func(t *testing.T, s side) result {
		return s.client(t, []string{"tcp-client", ""}, l.Addr().String(), "2000000").wait()
	})
}

func TestUDPClientOfTheHost(t *testing.T) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, from, err := l.ReadFrom(b)
			if err != nil {
				return
			}
			l.WriteTo(b[:n], from)
		}
	}()
	bothSides(t, func(t *testing.T, s side) result {
		return s.client(t, []string{"udp-client", ""}, l.LocalAddr().String()).wait()
	})
}

func TestHTTPServerForTheHost(t *testing.T) {
	bothSides(t, func(t *testing.T, s side) result {
		p, addr := s.server(t, "", "serve")
		exercise(t, &http.Client{Timeout: time.Minute}, "http://"+addr)
		p.signal(syscall.SIGINT)
		return p.wait()
	})
}

// exercise is a client that asks a guest's server for small, large and many things.
func exercise(t *testing.T, client *http.Client, base string) {
	t.Helper()
	var wg sync.WaitGroup
	for i := 0; i < 8; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := 0; j < 10; j++ {
				want := fmt.Sprintf("hello, %d.%d\n", i, j)
				if got, err := get(client, fmt.Sprintf("%s/hello?name=%d.%d", base, i, j)); err != nil || got != want {
					t.Errorf("want %q, got %q, %v", want, got, err)
				}
			}
		}()
	}
	wg.Wait()
	if got, err := get(client, base+"/bytes?n=3000000"); err != nil || len(got) != 3_000_000 {
		t.Errorf("3 MB: %d bytes, %v", len(got), err)
	}
	r, err := client.Post(base+"/sum", "application/octet-stream", bytes.NewReader(make([]byte, 1_000_000)))
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Body.Close()
	if b, err := io.ReadAll(r.Body); err != nil || !strings.HasPrefix(string(b), "1000000 0x") {
		t.Errorf("posting 1 MB: %q %v", b, err)
	}
	client.CloseIdleConnections()
}

func get(client *http.Client, url string) (string, error) {
	r, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return string(b), err
}

func TestHTTPSServerForTheHost(t *testing.T) {
	bothSides(t, func(t *testing.T, s side) result {
		p, addr := s.server(t, "", "serve-tls")
		// The two outputs come on ways of their own: this one may be later than "listening".
		text, err := p.waitLine(p.stderr, "-----END CERTIFICATE-----\n")
		if err != nil {
			t.Fatal(err)
		}
		cert := []byte(text)
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(cert) {
			t.Errorf("no certificate: %s", cert)
		}
		exercise(t, &http.Client{Timeout: time.Minute,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}, "https://"+addr)
		p.signal(syscall.SIGTERM)
		r := p.wait()
		r.stderr = bytes.TrimPrefix(r.stderr, cert) // a new one in every run
		return r
	})
}

func TestHTTPClientOfTheHost(t *testing.T) {
	m := http.NewServeMux()
	m.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "hello, %s\n", r.FormValue("name")) })
	m.HandleFunc("/bytes", func(w http.ResponseWriter, r *http.Request) { w.Write(pattern(1_500_000)) })
	m.HandleFunc("/sum", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintln(w, n, err)
	})
	m.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) { time.Sleep(time.Second) })
	m.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	server := httptest.NewServer(m)
	defer server.Close()
	bothSides(t, func(t *testing.T, s side) result {
		return s.client(t, []string{"get", "http://"}, server.Listener.Addr().String()).wait()
	})
}

// TestGracefulShutdown: a request that is being answered when the signal comes gets its answer.
func TestGracefulShutdown(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(map[syscall.Signal]string{syscall.SIGINT: "SIGINT", syscall.SIGTERM: "SIGTERM"}[sig], func(t *testing.T) {
			bothSides(t, func(t *testing.T, s side) result {
				p, addr := s.server(t, "", "serve")
				answer := make(chan string, 1)
				go func() {
					got, err := get(&http.Client{Timeout: time.Minute}, "http://"+addr+"/slow?say=1")
					answer <- fmt.Sprint(got, err)
				}()
				if _, err := p.waitLine(p.stdout, "slow request began\n"); err != nil {
					t.Error(err)
					return result{}
				}
				p.signal(sig)
				if got := <-answer; got != "slow answer\n<nil>" {
					t.Errorf("the request in flight got %q", got)
				}
				return p.wait()
			})
		})
	}
}

// TestDrain is a shutdown without net/http: the listener closes, the accept loop ends.
func TestDrain(t *testing.T) {
	bothSides(t, func(t *testing.T, s side) result {
		p, addr := s.server(t, "", "drain")
		for i := 0; i < 20; i++ {
			c := dial(t, addr)
			got, err := io.ReadAll(c)
			c.Close()
			if string(got) != "served\n" || err != nil {
				t.Errorf("connection %d: %q %v", i, got, err)
			}
		}
		p.signal(syscall.SIGTERM)
		return p.wait()
	})
}
