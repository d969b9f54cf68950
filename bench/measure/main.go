// Measure boots one Go binary two ways, as an image of ours and as /init of Debian's cloud kernel,
// and prints one row for each thing that has a bar:
//
//	name  ours  linux  ratio  bar  ok|MISS
//
// With -cpus it measures what CPUs, threads and calls cost instead: parallel.go.
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
	"strings"
)

var (
	dir    = flag.String("dir", "", "folder with the programs, the plugin, the floor guest and Linux")
	gosolo = flag.String("gosolo", "", "the command")
	kernel = flag.String("kernel", "", "our kernel.elf")
	runs   = flag.Int("n", 7, "boots per wall time; the median is printed")
	pack   = flag.String("initramfs", "", "only write this initramfs, from NAME=FILE arguments")
	cpus   = flag.String("cpus", "", "only measure what CPUs are for, with each of these numbers of them")
	unpack = flag.String("vmlinux", "", "only write this vmlinux, from a bzImage")
)

// row is one line of the result. A bar of 0 says that there is none.
type row struct {
	name        string
	ours, linux float64 // negative: not measured
	unit        string
	ratioBar    float64 // ours/linux is at most that
	oursBar     float64 // ours is at most that
	ratioLeast  float64 // ours/linux is at least that
	oursLeast   float64 // ours is at least that
}

func (r row) ratio() float64 {
	if r.ours < 0 || r.linux <= 0 {
		return -1
	}
	return r.ours / r.linux
}

// bars lists the bars of a row, each with what is held to it.
func (r row) bars() (text string, met bool) {
	met = true
	for _, b := range []struct {
		what  string
		value float64
		sign  string
		bar   float64
	}{{"ratio", r.ratio(), "<=", r.ratioBar}, {"ratio", r.ratio(), ">=", r.ratioLeast},
		{"ours", r.ours, "<=", r.oursBar}, {"ours", r.ours, ">=", r.oursLeast}} {
		if b.bar == 0 {
			continue
		}
		text += " " + b.what + b.sign + number(b.bar)
		met = met && b.value >= 0 && (b.value == b.bar || (b.value < b.bar) == (b.sign == "<="))
	}
	return strings.TrimSpace(text), met
}

func (r row) verdict() string {
	switch text, met := r.bars(); {
	case text == "":
		return "-"
	case met:
		return "ok"
	}
	return "MISS"
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

const columns = "%-34s %12s %12s %8s  %-22s %s\n"

func (r row) print() {
	ratio := "-"
	if v := r.ratio(); v >= 0 {
		ratio = fmt.Sprintf("%.4f", v)
	}
	bars, _ := r.bars()
	if bars == "" {
		bars = "-"
	}
	fmt.Printf(columns, r.name+"_"+r.unit, number(r.ours), number(r.linux), ratio, bars, r.verdict())
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
	case *cpus != "":
		measureParallel(strings.Fields(*cpus))
	default:
		measureQuick()
	}
	if err != nil {
		fail(err)
	}
}

// rows prints rows as they come, and remembers whether one missed its bar.
type rows struct{ missed bool }

func newRows() *rows {
	fmt.Printf(columns, "name", "ours", "linux", "ratio", "bar", "verdict")
	return &rows{}
}

func (t *rows) add(list ...row) {
	for _, r := range list {
		r.print()
		t.missed = t.missed || r.verdict() == "MISS"
	}
}

// end is the end of the program.
func (t *rows) end() {
	if t.missed {
		os.Exit(1)
	}
}

func measureQuick() {
	t := newRows()
	floor, linux, ours := firstLine()
	t.add(row{name: "qemu_floor", unit: "ms", ours: floor, linux: floor},
		row{name: "first_line", unit: "ms", ours: ours, linux: linux, ratioBar: 0.25},
		row{name: "first_line_above_floor", unit: "ms", ours: above(ours, floor), linux: above(linux, floor)})
	oursMain, oursLine := instructions(oursRun("hello.image"))
	linuxMain, linuxLine := instructions(linuxRun("hello.cpio", true))
	t.add(row{name: "instructions_to_main", unit: "M", ours: oursMain, linux: linuxMain},
		row{name: "instructions_to_line", unit: "M", ours: oursLine, linux: linuxLine, ratioBar: 1. / 50})
	t.add(row{name: "httpd_least_memory", unit: "MiB", ours: leastMemory(oursRun("httpd.image")),
		linux: leastMemory(linuxRun("httpd.cpio", false)), oursBar: 48})
	t.add(row{name: fmt.Sprintf("pack_%d_MB", size(in("large"))/1_000_000), unit: "s", ours: packing(), linux: -1, oursBar: 0.2})
	oursFile, oursMemory := loaded(*kernel)
	linuxFile, linuxMemory := loaded(in("vmlinux"))
	t.add(row{name: "kernel_loaded", unit: "bytes", ours: oursFile, linux: linuxFile, oursBar: 1 << 20},
		row{name: "kernel_loaded_and_bss", unit: "bytes", ours: oursMemory, linux: linuxMemory})
	t.end()
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
