package real

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// caddyConfig is HTTPS with a certificate of caddy's own authority, a proxy, and a fixed answer.
func caddyConfig(adminPort, port, backend, answer string) string {
	return fmt.Sprintf(`{
	"admin": {"listen": "0.0.0.0:%s"},
	"apps": {
		"http": {"servers": {"s": {
			"listen": [":%s"],
			"protocols": ["h1", "h2", "h3"],
			"automatic_https": {"disable_redirects": true},
			"tls_connection_policies": [{}],
			"routes": [
				{"match": [{"path": ["/proxy/*"]}],
				 "handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": "%s"}]}]},
				{"match": [{"path": ["/files/*"]}], "handle": [{"handler": "file_server", "root": "."}]},
				{"handle": [{"handler": "static_response", "body": "%s"}]}
			]
		}}},
		"tls": {
			"certificates": {"automate": ["localhost"]},
			"automation": {"policies": [{"subjects": ["localhost"], "issuers": [{"module": "internal"}]}]}
		},
		"pki": {"certificate_authorities": {"local": {"install_trust": false}}}
	}}`, adminPort, port, backend, answer)
}

// caddyBackend is what caddy is a proxy for: it echoes; /proxy/slow answers when told to.
func caddyBackend(t *testing.T, s *side, arrived, release chan struct{}) string {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/proxy/slow" {
			close(arrived)
			<-release
		}
		fmt.Fprintf(w, "%s %s %s:", r.Method, r.URL.Path, r.Header.Get("X-Forwarded-Proto"))
		io.Copy(w, r.Body)
	}))
	t.Cleanup(backend.Close)
	u, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	return s.host() + ":" + u.Port()
}

// caddyClient trusts the authority that the admin API shows, and keeps it in root.pem.
func caddyClient(t *testing.T, p *process, s *side, admin string) *http.Client {
	var ca struct {
		Root string `json:"root_certificate"`
	}
	p.eventually(t, "the authority", func() error {
		answer, err := ask(http.DefaultClient, "GET", admin+"/pki/ca/local", "", 200)
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(answer), &ca)
	})
	s.file(t, "root.pem", ca.Root)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(ca.Root)) {
		t.Fatalf("no certificate: %q", ca.Root)
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool, ServerName: "localhost"},
		ForceAttemptHTTP2: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func TestCaddy(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		adminPort, adminAddr := s.port(t)
		port, addr := s.port(t)
		s.udp[port] = true
		admin, base := "http://"+adminAddr, "https://"+addr
		arrived, release := make(chan struct{}), make(chan struct{})
		backend := caddyBackend(t, s, arrived, release)
		config := s.file(t, "config.json", caddyConfig(adminPort, port, backend, "one"))
		p := s.start(t, "caddy", "run", "--config", config)
		client := caddyClient(t, p, s, admin)

		p.eventually(t, "HTTPS", func() error {
			answer, err := ask(client, "GET", base+"/", "", 200)
			if err == nil && answer != "one" {
				err = fmt.Errorf("%q", answer)
			}
			return err
		})
		answer, err := client.Get(base + "/")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.Proto != "HTTP/2.0" || answer.Header.Get("Server") != "Caddy" {
			t.Errorf("%s, %v", answer.Proto, answer.Header)
		}
		big := strings.Repeat("0123456789abcdef", 60_000)
		got, err := ask(client, "POST", base+"/proxy/echo", big, 200)
		if must(t, got, err); got != "POST /proxy/echo https:"+big {
			t.Errorf("the proxy returns %d bytes, %.60q", len(got), got)
		}

		caddy3(t, p, s, base+"/", "", "one")
		caddy3(t, p, s, base+"/proxy/echo", big[:300_000], "POST /proxy/echo https:"+big[:300_000])

		// A request that is under way outlives the configuration it came in with.
		slow := make(chan string)
		go func() {
			got, err := ask(client, "GET", base+"/proxy/slow", "", 200)
			slow <- fmt.Sprint(got, err)
		}()
		<-arrived
		got, err = ask(http.DefaultClient, "POST", admin+"/load", caddyConfig(adminPort, port, backend, "two"), 200)
		must(t, got, err)
		fresh := caddyClient(t, p, s, admin)
		got, err = ask(fresh, "GET", base+"/", "", 200)
		if must(t, got, err); got != "two" {
			t.Errorf("after the reload: %q", got)
		}
		caddy3(t, p, s, base+"/", "", "two")
		close(release)
		if got := <-slow; got != "GET /proxy/slow https:<nil>" {
			t.Errorf("the slow request: %s", got)
		}

		caddyMetrics(t, admin)
		return p.stop(t)
	})
}

// caddy3 asks by HTTP/3, and demands the answer.
func caddy3(t *testing.T, p *process, s *side, url, sent, want string) {
	t.Helper()
	args := []string{"-url", url, "-ca", filepath.Join(s.dir, "root.pem")}
	if sent != "" {
		s.file(t, "sent", sent)
		args = append(args, "-send", filepath.Join(s.dir, "sent"))
	}
	p.eventually(t, "HTTP/3", func() error {
		out, err := exec.Command(program(t, "http3"), args...).CombinedOutput()
		if err == nil && string(out) != "HTTP/3.0 200 Caddy\n"+want {
			err = fmt.Errorf("%d bytes: %.80q", len(out), out)
		} else if err != nil {
			err = fmt.Errorf("%w: %.200s", err, out)
		}
		return err
	})
}

// caddyMetrics demands what the Prometheus client reads from /proc.
func caddyMetrics(t *testing.T, admin string) {
	metrics, err := ask(http.DefaultClient, "GET", admin+"/metrics", "", 200)
	must(t, metrics, err)
	for _, name := range []string{
		"process_cpu_seconds_total", "process_max_fds", "process_open_fds", "process_resident_memory_bytes",
		"process_start_time_seconds", "process_virtual_memory_bytes", "go_goroutines",
	} {
		if !regexp.MustCompile(`(?m)^` + name + ` [0-9.]*[1-9]`).MatchString(metrics) {
			t.Errorf("no %s above 0", name)
		}
	}
}
