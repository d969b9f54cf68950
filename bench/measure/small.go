package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	smallMemory      = 24 // MiB
	smallConnections = 16
)

// small asks httpd in a machine of smallMemory for a while, over connections that stay, and tells how
// many requests were answered right, how many were not, and the most memory that was ever used.
// Negative: no result.
func small(run command, lasts time.Duration) (ok, failed, peak float64) {
	port := freePort()
	g, seen := launch(run(options{memory: smallMemory, port: port, stats: true}), "listening")
	defer g.kill()
	if _, up := g.await(seen, 30*time.Second); !up {
		g.complain("does not listen")
		return -1, -1, -1
	}
	good, bad := load(fmt.Sprintf("http://127.0.0.1:%d/", port), lasts)
	g.cmd.Process.Signal(syscall.SIGTERM) // the statistics come when the program has ended
	select {
	case <-g.ended:
	case <-time.After(20 * time.Second):
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	m := regexp.MustCompile(`memory_peak +(\d+) bytes`).FindSubmatch(append(g.text.Bytes(), g.errors.Bytes()...))
	if m == nil {
		return float64(good), float64(bad), -1
	}
	bytes, _ := strconv.ParseFloat(string(m[1]), 64)
	return float64(good), float64(bad), bytes / (1 << 20)
}

// load has smallConnections clients, each with one connection, ask until the time is over.
func load(url string, lasts time.Duration) (good, bad int64) {
	var wg sync.WaitGroup
	end := time.Now().Add(lasts)
	for i := 0; i < smallConnections; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for time.Now().Before(end) {
				if answers(client, url) {
					atomic.AddInt64(&good, 1)
				} else {
					atomic.AddInt64(&bad, 1)
				}
			}
		}()
	}
	wg.Wait()
	return good, bad
}

func answers(client *http.Client, url string) bool {
	r, err := client.Get(url)
	if err != nil {
		return false
	}
	defer r.Body.Close()
	n, err := io.Copy(io.Discard, r.Body)
	return err == nil && n == 13 && r.StatusCode == http.StatusOK
}

// addSmall: a minute in little memory. A share of what failed, since a bar of 0 would be none.
func addSmall(t *rows) {
	ok, failed, peak := small(oursRun("httpd.image"), time.Minute)
	right := -1.
	if ok > 0 {
		right = ok / (ok + failed)
	}
	t.add(row{name: "httpd_24M_requests", unit: "ok", ours: ok, linux: -1},
		row{name: "httpd_24M_answered_right", unit: "share", ours: right, linux: -1, oursLeast: 1},
		row{name: "httpd_24M_peak_memory", unit: "MiB", ours: peak, linux: -1, oursBar: smallMemory})
}
