package real

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// promConfig makes it scrape itself, and derive a series by a rule.
func promConfig(port, job string) string {
	return fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: %s
    static_configs: [{targets: ["localhost:%s"]}]
`, job, port)
}

const promRules = `
groups:
  - name: derived
    rules:
      - {record: scrapes, expr: "count_over_time(up[1h])"}
`

// promAnswer is what the query API gives for an instant vector.
type promAnswer struct {
	Status string
	Data   struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any
		}
	}
}

// promQuery returns the labels and the value of an expression with one result.
func promQuery(base, expr string) (map[string]string, float64, error) {
	body, err := ask(http.DefaultClient, "GET", base+"/api/v1/query?query="+url.QueryEscape(expr), "", 200)
	var a promAnswer
	if err == nil {
		err = json.Unmarshal([]byte(body), &a)
	}
	if err != nil {
		return nil, 0, err
	}
	if a.Status != "success" || len(a.Data.Result) != 1 {
		return nil, 0, fmt.Errorf("%s: %s", expr, body)
	}
	v, err := strconv.ParseFloat(fmt.Sprint(a.Data.Result[0].Value[1]), 64)
	return a.Data.Result[0].Metric, v, err
}

func TestPrometheus(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		port, addr := s.port(t)
		base := "http://" + addr
		s.file(t, "rules.yml", promRules)
		config := s.file(t, "prometheus.yml", promConfig(port, "itself"))
		p := s.start(t, "prometheus", "--config.file="+config, "--storage.tsdb.path="+s.path("data"),
			"--web.listen-address=0.0.0.0:"+port, "--web.enable-admin-api")
		want := func(expr string, least float64) (labels map[string]string) {
			p.eventually(t, expr, func() (err error) {
				var v float64
				labels, v, err = promQuery(base, expr)
				if err == nil && v < least {
					err = fmt.Errorf("%s is %v, want at least %v", expr, v, least)
				}
				return err
			})
			return labels
		}
		if l := want("up", 1); l["job"] != "itself" || l["instance"] != "localhost:"+port {
			t.Errorf("up has the labels %v", l)
		}
		if l := want("prometheus_build_info", 1); l["goos"] != "linux" || !strings.HasPrefix(l["goversion"], "go1.") {
			t.Errorf("build info: %v", l)
		}
		want("scrapes", 3) // by the rule
		want("prometheus_tsdb_head_series", 100)
		for _, name := range []string{"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"} {
			want(name, 0.000001)
		}
		want(`sum(rate(prometheus_http_requests_total[1m]))`, 0.000001)

		// The block that a snapshot writes is the tree's: renamed, linked, mapped.
		snapshot, err := ask(http.DefaultClient, "POST", base+"/api/v1/admin/tsdb/snapshot", "", 200)
		if must(t, snapshot, err); !strings.Contains(snapshot, `"status":"success"`) {
			t.Errorf("snapshot: %s", snapshot)
		}
		targets, err := ask(http.DefaultClient, "GET", base+"/api/v1/targets", "", 200)
		if must(t, targets, err); !strings.Contains(targets, `"health":"up"`) {
			t.Errorf("targets: %s", targets)
		}
		bad, err := ask(http.DefaultClient, "GET", base+"/api/v1/query?query=1%2B", "", 400)
		if must(t, bad, err); !strings.Contains(bad, "parse error") {
			t.Errorf("a bad expression: %s", bad)
		}
		return p.stop(t)
	})
}
