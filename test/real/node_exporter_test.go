package real

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// machineCollectors are those whose files every machine has; the others are of hardware, of modules or
// of daemons, and differ from one Linux to the next.
var machineCollectors = []string{"arp", "cpu", "diskstats", "entropy", "filefd", "filesystem", "loadavg", "meminfo",
	"netclass", "netdev", "netstat", "os", "sockstat", "softnet", "stat", "time", "timex", "udp_queues", "uname", "vmstat"}

// machineMetrics are series of theirs that dashboards are made of.
var machineMetrics = []string{`node_network_up{device="eth0"}`, `node_network_receive_bytes_total{device="eth0"}`, `node_network_mtu_bytes{device="eth0"} 1500`,
	`node_cpu_seconds_total{cpu="0",mode="user"}`, "node_memory_MemAvailable_bytes", "node_softnet_processed_total",
	"node_timex_tick_seconds 0.01", "node_load1", "node_netstat_Tcp_InSegs", "node_filesystem_avail_bytes{"}

// TestNodeExporter asks for all that it reads in /proc, /sys and by calls, and wants no collector to fail
// that works on Linux.
func TestNodeExporter(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		port, addr := s.port(t)
		p := s.start(t, "node_exporter", "--web.listen-address=:"+port)
		c := &http.Client{Timeout: time.Minute}
		var metrics string
		p.eventually(t, "metrics", func() (err error) {
			metrics, err = ask(c, "GET", "http://"+addr+"/metrics", "", 200)
			return err
		})
		for _, name := range machineCollectors {
			if !s.isMachine && !strings.Contains(metrics, `success{collector="`+name+`"} 1`) {
				t.Logf("%s does not work on this Linux", name)
			} else if s.isMachine && !strings.Contains(metrics, `success{collector="`+name+`"} 1`) {
				t.Errorf("the collector %s fails", name)
			}
		}
		for _, m := range machineMetrics {
			if s.isMachine && !strings.Contains(metrics, "\n"+m) {
				t.Errorf("no %s", m)
			}
		}
		return p.stop(t)
	})
}
