package real

import (
	"bytes"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// tunnels are how frp's client reaches its server. KCP is its own protocol over UDP, and the last: the server
// learns only after 40 s that such a client has gone, and keeps its ports as long.
var tunnels = []string{"tcp", "websocket", "kcp"}

// overTunnel sends a body through the tunnel and wants it back whole.
func overTunnel(addr, host string, body []byte) error {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	request, err := http.NewRequest("POST", "http://"+addr+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Host = host
	answer, err := c.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err == nil && !bytes.Equal(got, body) {
		err = fmt.Errorf("%s: %d bytes, not those %d", answer.Status, len(got), len(body))
	}
	return err
}

// The server is the program; its client and what that one makes reachable are on Linux.
func TestFrp(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	}))
	defer backend.Close()
	_, backendPort, _ := net.SplitHostPort(backend.Listener.Addr().String())
	big := make([]byte, 1_500_000)
	rand.New(rand.NewSource(1)).Read(big)

	bothSides(t, func(t *testing.T, s *side) string {
		bind, bindAddr := s.port(t)
		web, webAddr := s.port(t)
		remote, remoteAddr := s.port(t)
		s.udp[bind] = true
		p := s.start(t, "frps", "-c", s.file(t, "frps.toml", fmt.Sprintf(
			"bindPort = %s\nkcpBindPort = %s\nvhostHTTPPort = %s\nauth.token = \"secret\"\n", bind, bind, web)))
		for _, protocol := range tunnels {
			_, port, _ := net.SplitHostPort(bindAddr)
			client := newSide(t, false, "")
			config := client.file(t, "frpc.toml", fmt.Sprintf(`
serverAddr = "127.0.0.1"
serverPort = %s
auth.token = "secret"
loginFailExit = false
transport.protocol = %q
[[proxies]]
name = "plain"
type = "tcp"
localPort = %s
remotePort = %s
[[proxies]]
name = "web"
type = "http"
localPort = %s
customDomains = ["a.example"]
transport.useCompression = true
transport.useEncryption = true
`, port, protocol, backendPort, remote, backendPort))
			c := client.start(t, "frpc", "-c", config)
			c.eventually(t, protocol, func() error { return overTunnel(remoteAddr, "", []byte("small")) })
			c.eventually(t, protocol+" by name", func() error { return overTunnel(webAddr, "a.example", []byte("small")) })
			for _, to := range [][2]string{{remoteAddr, ""}, {webAddr, "a.example"}} {
				if err := overTunnel(to[0], to[1], big); err != nil {
					t.Errorf("%s: %v", protocol, err)
				}
			}
			c.stop(t)
			p.eventually(t, protocol+" closes", func() error {
				if overTunnel(remoteAddr, "", []byte("small")) == nil {
					return fmt.Errorf("it goes on")
				}
				return nil
			})
		}
		return p.stop(t)
	})
}
