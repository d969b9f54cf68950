package real

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// natsClient speaks the text protocol of NATS.
type natsClient struct {
	net.Conn
	r *bufio.Reader
}

func natsDial(addr string) (*natsClient, error) {
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(patience))
	n := &natsClient{c, bufio.NewReader(c)}
	info, err := n.r.ReadString('\n')
	if err == nil && !strings.HasPrefix(info, "INFO {") {
		err = fmt.Errorf("greeted with %q", info)
	}
	if err == nil {
		_, err = io.WriteString(c, "CONNECT {\"verbose\":false,\"pedantic\":true}\r\nSUB in.> 1\r\nPING\r\n")
	}
	if err == nil {
		err = n.expectPong()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return n, nil
}

func (n *natsClient) expectPong() error {
	line, err := n.r.ReadString('\n')
	if err == nil && line != "PONG\r\n" {
		err = fmt.Errorf("%q, not a PONG", line)
	}
	return err
}

// message returns the subject and the payload of the next one.
func (n *natsClient) message(t *testing.T) (subject, payload string) {
	t.Helper()
	for {
		line, err := n.r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "PING\r\n" {
			io.WriteString(n, "PONG\r\n")
			continue
		}
		words := strings.Fields(line)
		var size int
		if words[0] != "MSG" {
			t.Fatalf("%q, not a message", line)
		}
		if _, err := fmt.Sscan(words[len(words)-1], &size); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		data := make([]byte, size+2)
		if _, err := io.ReadFull(n.r, data); err != nil {
			t.Fatal(err)
		}
		return words[1], string(data[:size])
	}
}

func (n *natsClient) publish(subject, reply, payload string) {
	fmt.Fprintf(n, "PUB %s %s %d\r\n%s\r\n", subject, reply, len(payload), payload)
}

// request publishes and demands an answer that contains want.
func (n *natsClient) request(t *testing.T, subject, payload, want string) string {
	t.Helper()
	n.publish(subject, "in.answer", payload)
	from, answer := n.message(t)
	if from != "in.answer" || !strings.Contains(answer, want) {
		t.Fatalf("%s: answer on %s: %s; want %s", subject, from, answer, want)
	}
	return answer
}

func TestNATS(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		port, addr := s.port(t)
		p := s.start(t, "nats-server", "-a", "0.0.0.0", "-p", port, "-js", "-sd", s.path("store"))
		var a, b *natsClient
		connect := func(n **natsClient) {
			t.Helper()
			p.eventually(t, "connect", func() (err error) {
				*n, err = natsDial(addr)
				return err
			})
		}
		connect(&a)
		connect(&b)
		defer b.Close()

		for i := 0; i < 2000; i++ { // both subscribe to in.>, so each hears each
			a.publish("in.topic", "", fmt.Sprint("message ", i))
		}
		for _, n := range []*natsClient{a, b} {
			for i := 0; i < 2000; i++ {
				if subject, got := n.message(t); subject != "in.topic" || got != fmt.Sprint("message ", i) {
					t.Fatalf("message %d is %q on %s", i, got, subject)
				}
			}
		}

		big := strings.Repeat("0123456789", 50_000)
		b.Write([]byte("UNSUB 1\r\n"))
		a.request(t, "$JS.API.STREAM.CREATE.S", `{"name":"S","subjects":["kept.>"],"storage":"file"}`, `"name":"S"`)
		a.request(t, "kept.one", "first", `"seq":1`)
		a.request(t, "kept.two", big, `"seq":2`)
		a.Close()

		connect(&a) // the client comes again, and finds what was kept
		defer a.Close()
		for seq, want := range []string{"first", big} {
			ask := fmt.Sprintf(`{"seq":%d}`, seq+1)
			a.request(t, "$JS.API.STREAM.MSG.GET.S", ask, base64.StdEncoding.EncodeToString([]byte(want)))
		}
		a.request(t, "$JS.API.STREAM.PURGE.S", "", `"purged":2`)
		a.request(t, "$JS.API.STREAM.DELETE.S", "", `"success":true`)
		return p.stop(t)
	})
}
