package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	smallMemory      = "24M"
	smallConnections = 16
)

// peakMemory is what --stats says: the most of RAM that kernel and program together had in use.
var peakMemory = regexp.MustCompile(`(?m)^memory_peak +\d+ bytes \((.*) MiB\)$`)

// TestSmallServer: the web server example in 24 MiB answers 16 connections that never rest, for
// GOSOLO_LOAD, without one failure, and ends gracefully. How much memory it took at most is told.
func TestSmallServer(t *testing.T) {
	needCommand(t)
	load, err := time.ParseDuration(setting("GOSOLO_LOAD", "5s"))
	if err != nil {
		t.Fatal(err)
	}
	for _, cpus := range strings.Fields(setting("GOSOLO_CPUS", "1")) {
		t.Run(cpus+"_cpu", func(t *testing.T) {
			port := freePort(t)
			cmd := exec.Command(gosolo, "run", "--stats", "-m", smallMemory, "-c", cpus, "-p", port+":8080", "./examples/httpd")
			cmd.Dir = fromRoot(".")
			p := startOwn(t, cmd, 3*time.Minute+load)
			if _, err := p.waitLine(p.stdout, "listening on :8080\n"); err != nil {
				t.Fatal(err)
			}
			answers, failure := loadServer("http://localhost:"+port+"/", load)
			if failure != nil || answers < smallConnections {
				t.Errorf("after %d answers: %v", answers, failure)
			}
			p.cmd.Process.Signal(syscall.SIGTERM)
			r := p.wait()
			peak := peakMemory.FindSubmatch(r.stderr)
			if r.code != 0 || r.trouble != "" || peak == nil {
				t.Fatal(r.report())
			}
			t.Logf("%d answers in %v, %s MiB at most", answers, load, peak[1])
		})
	}
}

// loadServer asks on all connections at once, again and again; it returns the number of right answers
// and the first failure. They are opened one by one: QEMU's user network listens with a backlog of one,
// and what comes at the same moment waits until the host's TCP tries again, for up to half a minute.
func loadServer(url string, load time.Duration) (answers int, failure error) {
	var mu, opening sync.Mutex
	var wg sync.WaitGroup
	end := time.Now().Add(load)
	for i := 0; i < smallConnections; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{}} // a connection of its own
			defer client.CloseIdleConnections()
			for n := 0; n == 0 || time.Now().Before(end); n++ {
				if n == 0 {
					opening.Lock()
				}
				page, err := get(client, url)
				if n == 0 {
					opening.Unlock()
				}
				if err == nil && !strings.Contains(page, "Go without the operating system") {
					err = fmt.Errorf("the page is %q", page)
				}
				mu.Lock()
				if err == nil {
					answers++
				} else if failure == nil {
					failure = err
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		}()
	}
	wg.Wait()
	return answers, failure
}
