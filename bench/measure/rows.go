package main

import (
	"debug/elf"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sort"
	"strings"
	"sync"
	"time"
)

func median(v []float64) float64 {
	if len(v) == 0 {
		return -1
	}
	sort.Float64s(v)
	return v[len(v)/2]
}

// firstLine is the wall time in ms from the start of the command to the program's first line. For
// ours the command is gosolo run, all its own work included; for the others it is QEMU.
func firstLine() (floor, linux, ours float64) {
	kinds := []struct {
		run  command
		line string
		took []float64
	}{{run: floorRun, line: "floor\n"}, {run: linuxRun("hello.cpio", true), line: "hello, world"},
		{run: oursRun("hello.image"), line: "hello, world\n"}}
	for i := 0; i < *runs; i++ {
		for k := range kinds {
			g, seen := launch(kinds[k].run(options{memory: 256}), kinds[k].line)
			if d, ok := g.await(seen, time.Minute); ok {
				kinds[k].took = append(kinds[k].took, float64(d.Microseconds())/1000)
			} else {
				g.kill()
				g.complain("no line")
			}
			select { // the guest ends by itself
			case <-g.ended:
			case <-time.After(20 * time.Second):
				g.kill()
			}
		}
	}
	return median(kinds[0].took), median(kinds[1].took), median(kinds[2].took)
}

// instructions is the number of millions that the guest executes until main and until the line.
func instructions(run command) (main, line float64) {
	file := in("count")
	os.Remove(file)
	g, seen := launch(run(options{memory: 256, count: file}), "hello, world")
	g.await(seen, 2*time.Minute)
	select {
	case <-g.ended:
	case <-time.After(20 * time.Second):
		g.kill()
	}
	main, line = -1, -1
	b, _ := os.ReadFile(file)
	for _, l := range strings.Split(string(b), "\n") {
		var name string
		var n float64
		if fmt.Sscan(l, &name, &n); name == "mark0" {
			main = n / 1e6
		} else if name == "mark1" {
			line = n / 1e6
		}
	}
	if line < 0 {
		g.complain("no instruction count")
	}
	return main, line
}

// leastMemory is the least -m, to 1 MiB, with which httpd serves.
func leastMemory(run command) float64 {
	fails, works := 1, 256
	if !serves(run, works, true) {
		return -1
	}
	for works-fails > 1 {
		m := (works + fails) / 2
		if serves(run, m, false) {
			works = m
		} else {
			fails = m
		}
	}
	return float64(works)
}

// serves says whether httpd answers 64 requests, 8 at a time, and then one of 8 MiB.
func serves(run command, memory int, complain bool) bool {
	port := freePort()
	g, seen := launch(run(options{memory: memory, port: port}), "listening")
	defer g.kill()
	ok := false
	if _, ok = g.await(seen, 30*time.Second); ok {
		ok = exercise(fmt.Sprintf("http://127.0.0.1:%d", port))
	}
	if !ok && complain {
		g.complain("does not serve")
	}
	return ok
}

func exercise(base string) bool {
	client := &http.Client{Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	get := func(path string, want int64) bool {
		r, err := client.Get(base + path)
		if err != nil {
			return false
		}
		defer r.Body.Close()
		n, err := io.Copy(io.Discard, r.Body)
		return err == nil && n == want && r.StatusCode == http.StatusOK
	}
	var wg sync.WaitGroup
	failed := make(chan bool, 8)
	for i := 0; i < 8; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := 0; j < 8; j++ {
				if !get("/", 13) {
					failed <- true
					return
				}
			}
		}()
	}
	wg.Wait()
	return len(failed) == 0 && get("/bytes?n=8388608", 8<<20)
}

func freePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// packing is the wall time in s of gosolo build on a binary.
func packing() float64 {
	var took []float64
	for i := 0; i < *runs; i++ {
		start := time.Now()
		if text, err := exec.Command(*gosolo, "build", "-o", in("large.image"), in("large")).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "measure: packing: %v: %s\n", err, text)
			return -1
		}
		took = append(took, time.Since(start).Seconds())
	}
	return median(took)
}

// loaded is how many bytes of a kernel come from its file, and how many it takes with its bss.
func loaded(name string) (file, memory float64) {
	f, err := elf.Open(name)
	if err != nil {
		fail(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			file += float64(p.Filesz)
			memory += float64(p.Memsz)
		}
	}
	return file, memory
}
