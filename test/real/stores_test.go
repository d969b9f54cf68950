package real

import "testing"

// TestStores fills sqlite, badger, pebble and bbolt at once, opens them again and adds up what they have,
// and asks a gRPC server: logs and locks in shared mappings, many goroutines that sync.
func TestStores(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		p := s.start(t, "stores")
		end := p.wait(t)
		const want = "sqlite 4000 records, sum 21325334000\nbadger 4000 records, sum 21325334000\n" +
			"pebble 4000 records, sum 21325334000\nbbolt 4000 records, sum 21325334000\ngrpc 200 <nil>\n"
		if got := p.stdout.String(); got != want {
			t.Errorf("output: %q, errors: %q", got, p.stderr.String())
		}
		return end
	})
}
