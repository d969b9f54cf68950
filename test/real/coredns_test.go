package real

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

const corednsZone = `
$ORIGIN example.test.
@	3600 IN SOA ns.example.test. admin.example.test. 1 7200 3600 1209600 3600
@	3600 IN NS  ns.example.test.
ns	3600 IN A   192.0.2.1
www	3600 IN A   192.0.2.80
www	3600 IN AAAA 2001:db8::80
alias	3600 IN CNAME www
_x._tcp	3600 IN SRV 1 2 8080 www
`

// corednsZoneFull adds a name with an answer of many kilobytes, which only TCP carries.
func corednsZoneFull() string {
	var b strings.Builder
	b.WriteString(corednsZone)
	for i := 0; i < 100; i++ {
		fmt.Fprintf(&b, "big\t3600 IN TXT \"%03d %s\"\n", i, strings.Repeat("x", 200))
	}
	return b.String()
}

func TestCoreDNS(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		port, addr := s.port(t)
		healthPort, health := s.port(t)
		s.file(t, "zone", corednsZoneFull())
		config := s.file(t, "Corefile", fmt.Sprintf(`.:%s {
	bind 0.0.0.0
	health 0.0.0.0:%s
	file %s example.test
	hosts {
		198.51.100.7 from.hosts
		fallthrough
	}
	cache
	errors
}
`, port, healthPort, s.path("zone")))
		p := s.start(t, "coredns", "-conf", config)
		p.eventually(t, "health", func() error {
			c, err := net.DialTimeout("tcp", health, time.Second)
			if err == nil {
				c.Close()
			}
			return err
		})
		// The host reaches the machine by TCP only; inside, the answers go by UDP.
		r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		var ips []string
		p.eventually(t, "an address", func() (err error) {
			ips, err = r.LookupHost(ctx, "www.example.test.")
			return err
		})
		if got := fmt.Sprint(ips); got != "[192.0.2.80 2001:db8::80]" && got != "[2001:db8::80 192.0.2.80]" {
			t.Errorf("www: %v", got)
		}
		if name, err := r.LookupCNAME(ctx, "alias.example.test."); name != "www.example.test." || err != nil {
			t.Errorf("alias: %s, %v", name, err)
		}
		if _, srv, err := r.LookupSRV(ctx, "x", "tcp", "example.test."); err != nil || len(srv) != 1 || srv[0].Port != 8080 {
			t.Errorf("SRV: %v, %v", srv, err)
		}
		if ips, err := r.LookupHost(ctx, "from.hosts."); err != nil || fmt.Sprint(ips) != "[198.51.100.7]" {
			t.Errorf("hosts: %v, %v", ips, err)
		}
		if big, err := r.LookupTXT(ctx, "big.example.test."); err != nil || len(big) != 100 {
			t.Errorf("big: %d texts, %v", len(big), err)
		}
		_, err := r.LookupHost(ctx, "none.example.test.")
		if e, ok := err.(*net.DNSError); !ok || !e.IsNotFound {
			t.Errorf("a name that is not there: %v", err)
		}
		return p.stop(t)
	})
}
