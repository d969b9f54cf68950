package main

import (
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What /proc says of the process's memory, threads and limits agrees with itself, and with what was done.
var procNumberChecks = []check{
	{"memory-of-the-process", procOwnMemory},
	{"page-faults", procFaults},
	{"switches-of-a-thread", procSwitches},
	{"all-limits", procAllLimits},
	{"cpu-features", procFeatures},
}

func procOwnMemory(t *T) {
	const size = 8 << 20
	kib := func(f map[string]string, name string) int64 { return number(t, name, f[name]) }
	before := fields(t, "/proc/self/status")
	a := mapPages(t, size/page, rw)
	_, errno := call(syscall.SYS_MADVISE, a, size, 15) // MADV_NOHUGEPAGE
	t.Want("madvise", errno, syscall.Errno(0))
	for i := uintptr(0); i < size; i += page {
		*at(a + i) = 1
	}
	after := fields(t, "/proc/self/status")
	m := strings.Fields(contents(t, "/proc/self/statm"))
	unmap(t, a, size/page)
	gone := fields(t, "/proc/self/status")
	for _, name := range []string{"VmSize", "VmData", "VmRSS", "RssAnon"} {
		if grown := kib(after, name) - kib(before, name); grown < size/1024-2048 { // the runtime may give back some
			t.Errorf("%s grows by %d KiB", name, grown)
		}
	}
	t.Want("VmRSS is the sum", kib(after, "RssAnon")+kib(after, "RssFile")+kib(after, "RssShmem"), kib(after, "VmRSS"))
	t.Want("the most there ever was", kib(after, "VmHWM") >= kib(after, "VmRSS")-512, true)
	t.Want("it shrinks", kib(gone, "VmRSS") < kib(after, "VmRSS")-size/2/1024, true)
	t.Want("but not the most", kib(gone, "VmHWM") >= kib(after, "VmRSS")-512, true) // Linux's counts are of each CPU
	t.Want("code", kib(after, "VmExe") > 100, true)
	t.Want("stack", kib(after, "VmStk") > 0, true)
	t.Want("files' pages", kib(after, "RssFile") > 100, true)
	for _, name := range []string{"VmPeak", "VmLck", "VmPin", "VmLib", "VmSwap"} {
		kib(after, name)
	}
	t.Want("statm: resident", number(t, "resident", m[1]) >= size/page, true)
	t.Want("statm: shared", number(t, "shared", m[2]) > 25, true)
	t.Want("statm: text", number(t, "text", m[3])*4, kib(after, "VmExe"))
	t.Want("statm: data", number(t, "data", m[5]) >= size/page, true)
}

func procFaults(t *T) {
	faults := func() int64 { return number(t, "faults", statFields(t, "/proc/self/stat")[9]) }
	before := faults()
	a := mapPages(t, 100, rw)
	defer unmap(t, a, 100)
	for i := uintptr(0); i < 100; i++ {
		*at(a + i*page) = 1
	}
	t.Want("one for each page", faults()-before >= 100, true)
}

func procSwitches(t *T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	path := "/proc/self/task/" + itoa(syscall.Gettid()) + "/status"
	sleeps := func() int64 { return number(t, "switches", fields(t, path)["voluntary_ctxt_switches"]) }
	before := sleeps()
	for i := 0; i < 20; i++ {
		ts := syscall.Timespec{Nsec: int64(time.Millisecond)}
		syscall.Nanosleep(&ts, nil)
	}
	// Each sleep is one, but for those that a busy host or a signal of the runtime cuts short.
	if n := sleeps() - before; n < 15 {
		t.Errorf("%d switches in 20 sleeps", n)
	}
	number(t, "preemptions", fields(t, path)["nonvoluntary_ctxt_switches"])
}

// procAllLimits compares each line with getrlimit.
func procAllLimits(t *T) {
	names := []string{"cpu time", "file size", "data size", "stack size", "core file size", "resident set", "processes",
		"open files", "locked memory", "address space", "file locks", "pending signals", "msgqueue size", "nice priority",
		"realtime priority", "realtime timeout"}
	text := func(v uint64) string {
		if v == ^uint64(0) {
			return "unlimited"
		}
		return strconv.FormatUint(v, 10)
	}
	all := lines(t, "/proc/self/limits")
	t.Want("lines", len(all), 17)
	for resource, name := range names {
		var l syscall.Rlimit
		t.Must("getrlimit", syscall.Getrlimit(resource, &l))
		found := false
		for _, line := range all {
			if rest, ok := strings.CutPrefix(line, "Max "+name); ok {
				f := strings.Fields(rest)
				found = true
				t.Want(name, f[0]+" "+f[1], text(l.Cur)+" "+text(l.Max))
				t.Want(name+": width", len(line), 68+min(10, 10*(len(f)-2)))
			}
		}
		t.Want(name+" is there", found, true)
	}
}

func procFeatures(t *T) {
	m := fields(t, "/proc/cpuinfo")
	flags := " " + m["flags"] + " "
	for _, f := range []string{"fpu", "tsc", "cx8", "cmov", "sse2", "syscall", "lm", "nx"} {
		t.Want(f, strings.Contains(flags, " "+f+" "), true)
	}
	t.Want("vendor", len(m["vendor_id"]), 12)
	t.Want("family", number(t, "family", m["cpu family"]) > 0, true)
	for _, name := range []string{"model", "stepping", "siblings", "cpu cores", "cpuid level", "clflush size"} {
		number(t, name, m[name])
	}
	t.Want("name", m["model name"] != "", true)
}
