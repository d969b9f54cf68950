// Collectors gathers what prometheus/client_golang's collectors of the process and of Go say, and
// compares it with what the program knows by itself. It prints the names of the metrics; a line that
// begins with WRONG is about one that cannot be true.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
)

const (
	files = 10
	bytes = 1 << 20
	spent = 300 * time.Millisecond
)

var failed bool

func want(what string, ok bool, got any) {
	if !ok {
		failed = true
		fmt.Printf("WRONG: %s: %v\n", what, got)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// gather gives the values of metrics that have one; of the others only that they are there.
func gather(r *prometheus.Registry) map[string]float64 {
	m := map[string]float64{}
	for _, f := range must(r.Gather()) {
		v := f.Metric[0]
		switch f.GetType() {
		case dto.MetricType_COUNTER:
			m[f.GetName()] = v.Counter.GetValue()
		case dto.MetricType_GAUGE:
			m[f.GetName()] = v.Gauge.GetValue()
		default:
			m[f.GetName()] = 0
		}
	}
	return m
}

// cpuTime is what getrusage says.
func cpuTime() time.Duration {
	var u syscall.Rusage
	must(0, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// use opens files, spends CPU time and memory, and sends bytes to itself.
func use() (touched []byte) {
	for i := 0; i < files; i++ {
		must(syscall.Open("/proc/self/stat", syscall.O_RDONLY|syscall.O_CLOEXEC, 0))
	}
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	go func() {
		c := must(net.Dial("tcp", l.Addr().String()))
		c.Write(make([]byte, bytes))
		c.Close()
	}()
	c := must(l.Accept())
	io.Copy(io.Discard, c)
	c.Close()
	l.Close()
	touched = make([]byte, 64<<20)
	for i := range touched {
		touched[i] = 1
	}
	for end := cpuTime() + spent; cpuTime() < end; {
	}
	return touched
}

func main() {
	began := time.Now()
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{ReportErrors: true}),
		collectors.NewGoCollector())
	before := gather(r)
	touched := use()
	after := gather(r)
	moved := func(name string) float64 { return after[name] - before[name] }

	var names []string
	for name := range after {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Println(name)
	}
	var limit, space syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	syscall.Getrlimit(syscall.RLIMIT_AS, &space)
	want("CPU time spent", moved("process_cpu_seconds_total") >= spent.Seconds()-0.02 &&
		after["process_cpu_seconds_total"] <= cpuTime().Seconds()+0.02, moved("process_cpu_seconds_total"))
	want("files opened", moved("process_open_fds") >= files && moved("process_open_fds") <= files+4, moved("process_open_fds"))
	want("limit of files", after["process_max_fds"] == float64(limit.Cur), after["process_max_fds"])
	want("limit of the address space", after["process_virtual_memory_max_bytes"] == float64(space.Cur), after["process_virtual_memory_max_bytes"])
	rss := after["process_resident_memory_bytes"]
	want("resident memory", rss >= float64(len(touched)) && rss < float64(4*len(touched)), rss)
	want("virtual memory", after["process_virtual_memory_bytes"] > rss, after["process_virtual_memory_bytes"])
	age := float64(began.UnixMilli())/1000 - after["process_start_time_seconds"]
	want("start", age > -2 && age < 60, age)
	want("bytes received", moved("process_network_receive_bytes_total") >= bytes, moved("process_network_receive_bytes_total"))
	want("bytes sent", moved("process_network_transmit_bytes_total") >= bytes, moved("process_network_transmit_bytes_total"))
	want("threads", after["go_threads"] >= 2, after["go_threads"])
	want("Go's heap is part of it", after["go_memstats_heap_alloc_bytes"] >= float64(len(touched)), after["go_memstats_heap_alloc_bytes"])
	if failed {
		os.Exit(1)
	}
}
