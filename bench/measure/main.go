// Measure boots one Go binary two ways, as an image of ours and as /init of Debian's cloud kernel,
// and prints one row for each thing that has a bar:
//
//	name  ours  linux  ratio  bar  ok|MISS
//
// Both run on QEMU's microvm under TCG, so that rows compare on any machine. Wall times are taken
// in turns (floor, Linux, ours, floor, ...), so that a change of the host's load meets all alike.
// The exit code is 1 when a bar is missed. bench/quick.sh builds what this needs.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

var (
	dir    = flag.String("dir", "", "folder with the programs, the plugin, the floor guest and Linux")
	gosolo = flag.String("gosolo", "", "the command")
	kernel = flag.String("kernel", "", "our kernel.elf")
	runs   = flag.Int("n", 7, "boots per wall time; the median is printed")
	pack   = flag.String("initramfs", "", "only write this initramfs, from NAME=FILE arguments")
	micro  = flag.Int("micro", 0, "only run micro, on that many CPUs")
	unpack = flag.String("vmlinux", "", "only write this vmlinux, from a bzImage")
)

// row is one line of the result. A bar of 0 says that there is none.
type row struct {
	name        string
	ours, linux float64 // negative: not measured
	unit        string
	ratioBar    float64 // on ours/linux
	oursBar     float64 // on ours
}

func (r row) bar() string {
	switch {
	case r.ratioBar > 0:
		return "ratio<=" + number(r.ratioBar)
	case r.oursBar > 0:
		return "ours<=" + number(r.oursBar)
	}
	return "-"
}

func (r row) verdict() string {
	switch {
	case r.bar() == "-":
		return "-"
	case r.ours < 0 || r.ratioBar > 0 && (r.linux <= 0 || r.ours/r.linux > r.ratioBar) ||
		r.oursBar > 0 && r.ours > r.oursBar:
		return "MISS"
	}
	return "ok"
}

func number(v float64) string {
	switch {
	case v < 0:
		return "-"
	case v >= 10000 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.4g", v)
}

const columns = "%-28s %12s %12s %8s  %-14s %s\n"

func (r row) print() {
	ratio := "-"
	if r.ours >= 0 && r.linux > 0 {
		ratio = fmt.Sprintf("%.4f", r.ours/r.linux)
	}
	fmt.Printf(columns, r.name+"_"+r.unit, number(r.ours), number(r.linux), ratio, r.bar(), r.verdict())
}

func fail(v ...any) {
	fmt.Fprintln(os.Stderr, append([]any{"measure:"}, v...)...)
	os.Exit(1)
}

func in(name string) string { return filepath.Join(*dir, name) }

func main() {
	runtime.LockOSThread() // children die with the thread that started them
	flag.Parse()
	var err error
	switch {
	case *pack != "":
		err = writeInitramfs(*pack, flag.Args())
	case *unpack != "":
		err = writeVmlinux(*unpack, flag.Arg(0))
	case *micro > 0:
		measureMicro(*micro)
	default:
		measureAll()
	}
	if err != nil {
		fail(err)
	}
}

func measureAll() {
	fmt.Printf(columns, "name", "ours", "linux", "ratio", "bar", "verdict")
	missed := false
	add := func(rows ...row) {
		for _, r := range rows {
			r.print()
			missed = missed || r.verdict() == "MISS"
		}
	}
	floor, linux, ours := firstLine()
	add(row{name: "qemu_floor", unit: "ms", ours: floor, linux: floor},
		row{name: "first_line", unit: "ms", ours: ours, linux: linux, ratioBar: 0.25},
		row{name: "first_line_above_floor", unit: "ms", ours: above(ours, floor), linux: above(linux, floor)})
	oursMain, oursLine := instructions(oursRun("hello.image"))
	linuxMain, linuxLine := instructions(linuxRun("hello.cpio", true))
	add(row{name: "instructions_to_main", unit: "M", ours: oursMain, linux: linuxMain},
		row{name: "instructions_to_line", unit: "M", ours: oursLine, linux: linuxLine, ratioBar: 1. / 50})
	add(row{name: "httpd_least_memory", unit: "MiB", ours: leastMemory(oursRun("httpd.image")),
		linux: leastMemory(linuxRun("httpd.cpio", false)), oursBar: 48})
	add(row{name: fmt.Sprintf("pack_%d_MB", size(in("large"))/1_000_000), unit: "s", ours: packing(), linux: -1, oursBar: 0.2})
	oursFile, oursMemory := loaded(*kernel)
	linuxFile, linuxMemory := loaded(in("vmlinux"))
	add(row{name: "kernel_loaded", unit: "bytes", ours: oursFile, linux: linuxFile, oursBar: 1 << 20},
		row{name: "kernel_loaded_and_bss", unit: "bytes", ours: oursMemory, linux: linuxMemory})
	if missed {
		os.Exit(1)
	}
}

func above(v, floor float64) float64 {
	if v < 0 || floor < 0 {
		return -1
	}
	return v - floor
}

func size(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		fail(err)
	}
	return info.Size()
}
