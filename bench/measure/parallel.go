package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What CPUs, threads and calls cost. Wall times are taken in turns, Linux before ours, *runs times;
// the least one counts, because what else the host does only ever adds. Rates take the highest.
// Rows named "instructions" are guest instructions an operation, on one CPU whose clock is the
// count: they repeat on any host, however busy it is.

// barred is what must be cheaper here than on Linux.
var barred = []string{"futex-wake", "thread"}

// exact is what is counted in instructions: nothing that waits for a time or another CPU.
var exact = []string{"null-call", "time-now", "page-touch", "chan-pingpong", "thread-pingpong",
	"futex-wake", "thread"}

// result is the best value of a measurement on each guest, by number of CPUs.
type result struct{ ours, linux map[int]float64 }

func (r result) row(name, unit string, cpus int) row {
	return row{name: fmt.Sprintf("%s_%d_cpu", name, cpus), unit: unit, ours: at(r.ours, cpus),
		linux: at(r.linux, cpus)}
}

func at(m map[int]float64, cpus int) float64 {
	if v, ok := m[cpus]; ok {
		return v
	}
	return -1
}

func measureParallel(words []string) {
	var counts []int
	for _, w := range words {
		n, err := strconv.Atoi(w)
		if err != nil || n < 1 {
			fail("no number of CPUs:", w)
		}
		counts = append(counts, n)
	}
	t := newRows()
	addInstructions(t)
	addMicro(t, counts)
	addHTTP(t, counts)
	addSmall(t)
	for _, n := range counts {
		t.add(row{name: fmt.Sprintf("idle_host_cpu_%d_cpu", n), unit: "percent",
			ours: idle(oursRun("httpd.image"), n), linux: idle(linuxRun("httpd.cpio", false), n), oursBar: 1})
	}
	t.end()
}

// addSpeedups compares a guest on several CPUs with itself on one. time says that less is better.
func addSpeedups(t *rows, name string, r result, counts []int, time bool, oursLeast float64) {
	of := func(m map[int]float64, n int) float64 {
		one, many := at(m, 1), at(m, n)
		if time {
			one, many = many, one
		}
		if one <= 0 || many <= 0 {
			return -1
		}
		return many / one
	}
	for _, n := range counts {
		if n < 2 {
			continue
		}
		line := row{name: fmt.Sprintf("%s_speed-up_1_to_%d", name, n), unit: "times", ours: of(r.ours, n),
			linux: of(r.linux, n), ratioLeast: 0.97}
		if n == 2 {
			line.oursLeast = oursLeast
		}
		t.add(line)
	}
}

// addInstructions counts what one operation executes.
func addInstructions(t *rows) {
	o := options{memory: 512, count: in("count")}
	linux, _, _ := microLines(linuxRun("micro.cpio", true), o, exact...)
	ours, _, names := microLines(oursRun("micro.image"), o, exact...)
	for _, name := range names {
		line := result{map[int]float64{1: ours[name]}, map[int]float64{1: linux[name]}}.row(name, "instructions", 1)
		if slices.Contains(barred, name) {
			line.ratioBar = 1
		}
		t.add(line)
	}
}

// addMicro takes the wall times of everything that micro has.
func addMicro(t *rows, counts []int) {
	results, units, names := map[string]result{}, map[string]string{}, []string(nil)
	least := func(into func(result) map[int]float64, n int, values map[string]float64) {
		for name, v := range values {
			if _, ok := results[name]; !ok {
				results[name] = result{map[int]float64{}, map[int]float64{}}
			}
			m := into(results[name])
			if old, ok := m[n]; !ok || v < old {
				m[n] = v
			}
		}
	}
	for i := 0; i < *runs; i++ {
		for _, n := range counts {
			o := options{memory: 512, cpus: n}
			values, _, _ := microLines(linuxRun("micro.cpio", true), o)
			least(func(r result) map[int]float64 { return r.linux }, n, values)
			values, units, names = microLines(oursRun("micro.image"), o)
			least(func(r result) map[int]float64 { return r.ours }, n, values)
		}
	}
	for _, name := range names {
		for _, n := range counts {
			line := results[name].row(name, units[name], n)
			if slices.Contains(barred, name) {
				line.ratioBar = 1
			}
			t.add(line)
		}
	}
	addSpeedups(t, "sieve", results["sieve"], counts, true, 1.7)
	addSpeedups(t, "trees", results["trees"], counts, true, 0)
}

// microLines runs micro once, whole or what only says, and returns what it prints, and in which order.
func microLines(run command, o options, only ...string) (values map[string]float64, units map[string]string, names []string) {
	o.args = only
	values, units = map[string]float64{}, map[string]string{}
	g, seen := launch(run(o), "micro: done")
	if _, ok := g.await(seen, 5*time.Minute); !ok {
		g.kill()
		g.complain("micro did not end")
	}
	select {
	case <-g.ended:
	case <-time.After(20 * time.Second):
		g.kill()
	}
	for _, line := range strings.Split(g.text.String(), "\n") {
		var name, unit string
		var value float64
		switch n, _ := fmt.Sscan(line, &name, &value, &unit); {
		case n == 2 && name == "cpus" && int(value) != max(1, o.cpus):
			fail("a guest has", value, "CPUs, not", o.cpus)
		case n == 3 && (unit == "ns" || unit == "s"):
			values[name], units[name] = value, unit
			names = append(names, name)
		}
	}
	return values, units, names
}

// addHTTP takes requests a second, and what one of them costs the host in CPU time: the steadier
// number, since the client and the network share the host with the guest.
func addHTTP(t *rows, counts []int) {
	if _, err := exec.LookPath("wrk"); err != nil {
		fail("HTTP is measured with wrk, which is not installed")
	}
	rate := result{map[int]float64{}, map[int]float64{}}
	cost := result{map[int]float64{}, map[int]float64{}}
	once := func(run command, n int, rate, cost map[int]float64) {
		r, c := requests(run, n)
		if r > rate[n] {
			rate[n] = r
		}
		if old, ok := cost[n]; r > 0 && (!ok || c < old) {
			cost[n] = c
		}
	}
	for i := 0; i < *runs; i++ {
		for _, n := range counts {
			once(linuxRun("httpd.cpio", false), n, rate.linux, cost.linux)
			once(oursRun("httpd.image"), n, rate.ours, cost.ours)
		}
	}
	for _, n := range counts {
		t.add(rate.row("http_rate", "per_s", n), cost.row("http_host_cpu", "us_per_request", n))
	}
	addSpeedups(t, "http_rate", rate, counts, false, 0)
}

// requests runs wrk against httpd: how many a second, and microseconds of the host's CPU for each.
func requests(run command, cpus int) (rate, cost float64) {
	port := freePort()
	g, seen := launch(run(options{memory: 256, cpus: cpus, port: port}), "listening")
	defer g.kill()
	if _, ok := g.await(seen, 30*time.Second); !ok {
		g.complain("does not listen")
		return -1, -1
	}
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	exec.Command("wrk", "-t1", "-c16", "-d1", url).Run() // code gets translated, heaps grow
	before := g.hostCPU()
	text, err := exec.Command("wrk", "-t1", "-c16", "-d3", url).CombinedOutput()
	used := g.hostCPU() - before
	m := regexp.MustCompile(`(\d+) requests in `).FindSubmatch(text)
	r := regexp.MustCompile(`Requests/sec: *([0-9.]+)`).FindSubmatch(text)
	if err != nil || m == nil || r == nil || strings.Contains(string(text), "Socket errors") {
		fmt.Fprintf(os.Stderr, "measure: wrk: %v: %s\n", err, text)
		return -1, -1
	}
	count, _ := strconv.ParseFloat(string(m[1]), 64)
	rate, _ = strconv.ParseFloat(string(r[1]), 64)
	return rate, used.Seconds() * 1e6 / max(1, count)
}

// idle is the host's CPU time that a server takes while nobody asks it anything, in percent of the
// time that passes.
func idle(run command, cpus int) float64 {
	const watched = 10 * time.Second
	g, seen := launch(run(options{memory: 256, cpus: cpus, port: freePort()}), "listening")
	defer g.kill()
	if _, ok := g.await(seen, 30*time.Second); !ok {
		g.complain("does not listen")
		return -1
	}
	time.Sleep(2 * time.Second)
	before := g.hostCPU()
	time.Sleep(watched)
	return (g.hostCPU() - before).Seconds() / watched.Seconds() * 100
}
