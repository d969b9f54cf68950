package real

import (
	"strings"
	"testing"
)

// TestHTTP3 sends up to 2 MB there and back by quic-go, within the machine: QUIC over its UDP.
func TestHTTP3(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		p := s.start(t, "http3", "-serve")
		end := p.wait(t)
		want := "HTTP/3.0 200 0\nHTTP/3.0 200 1\nHTTP/3.0 200 1200\nHTTP/3.0 200 100000\nHTTP/3.0 200 2000000\n"
		if got := p.stdout.String(); got != want {
			t.Errorf("output: %q", got)
		}
		if text := p.stderr.String(); strings.Contains(text, "buffer size") || strings.Contains(text, "error") {
			t.Errorf("errors: %s", text)
		}
		return end
	})
}
