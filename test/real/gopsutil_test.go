package real

import (
	"strings"
	"testing"
)

// Programs that ask what gopsutil and client_golang can tell about a process and its machine, and judge
// it: what they print must be the same on both sides.

func judged(t *testing.T, s *side, name string) string {
	p := s.start(t, name)
	end := p.wait(t)
	out := p.stdout.String()
	for _, l := range strings.Split(out, "\n") {
		if strings.Contains(l, "WRONG") {
			t.Error(l)
		}
	}
	return end + "\n" + out
}

func TestGopsutil(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string { return judged(t, s, "gopsutil") })
}

func TestCollectors(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string { return judged(t, s, "collectors") })
}
