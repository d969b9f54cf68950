package e2e

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// filter turns an output into what must be equal on both sides.
type filter func([]byte) []byte

// differences says how the machine's result is not Linux's; nothing: they agree.
func differences(linux, machine result, stdout, stderr filter) []string {
	var list []string
	if linux.trouble != "" {
		list = append(list, "on Linux: "+linux.trouble)
	}
	if machine.trouble != "" {
		list = append(list, "in the machine: "+machine.trouble)
	}
	if linux.code != machine.code {
		list = append(list, fmt.Sprintf("exit code: %d on Linux, %d in the machine", linux.code, machine.code))
	}
	list = append(list, different("stdout", linux.stdout, machine.stdout, stdout)...)
	return append(list, different("stderr", linux.stderr, machine.stderr, stderr)...)
}

func different(name string, linux, machine []byte, f filter) []string {
	if f != nil {
		linux, machine = f(linux), f(machine)
	}
	if bytes.Equal(linux, machine) {
		return nil
	}
	at := 0
	for at < len(linux) && at < len(machine) && linux[at] == machine[at] {
		at++
	}
	around := func(b []byte) []byte {
		from, to := max(0, at-200), min(len(b), at+300)
		if from > to {
			from = to
		}
		return b[from:to]
	}
	return []string{fmt.Sprintf("%s: %d bytes on Linux, %d in the machine, other from byte %d, line %d on\n"+
		"... Linux:   %q\n... machine: %q", name, len(linux), len(machine), at,
		1+bytes.Count(linux[:at], []byte("\n")), around(linux), around(machine))}
}

// compare fails the test when the two results differ.
func compare(t *testing.T, linux, machine result, stdout, stderr filter) {
	t.Helper()
	if list := differences(linux, machine, stdout, stderr); list != nil {
		t.Errorf("%s\n=== Linux: %s\n=== machine: %s", strings.Join(list, "\n"), linux.report(), machine.report())
	}
}

// compareJob runs a job on both sides.
func compareJob(t *testing.T, c config, j job, stdout, stderr filter) {
	t.Helper()
	var input []byte
	if j.stdin != nil {
		b := new(bytes.Buffer)
		if _, err := b.ReadFrom(j.stdin); err != nil {
			t.Fatal(err)
		}
		input = b.Bytes()
	}
	run := func(start func(*testing.T, config, job) *running) result {
		one := j
		if input != nil {
			one.stdin = bytes.NewReader(input)
		}
		return start(t, c, one).wait()
	}
	compare(t, run(startNative), run(startMachine), stdout, stderr)
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return line
}

var digits = regexp.MustCompile(`\d+`)

// firstWords is the first line without its numbers.
func firstWords(b []byte) []byte { return digits.ReplaceAll(firstLine(b), []byte("N")) }

// noMemory is Go's end for want of memory, whatever it was that found none first.
func noMemory(b []byte) []byte {
	if line := firstLine(b); contains(string(line), "out of memory") || contains(string(line), "cannot allocate memory") {
		return []byte("no memory")
	}
	return b
}

var (
	traceNoise = []struct {
		pattern *regexp.Regexp
		with    string
	}{
		{regexp.MustCompile(`(?m)^(r[a-z0-9]{1,2}|rip|rflags|cs|fs|gs) +0x[0-9a-f]+\n`), ""},
		{regexp.MustCompile(` gp=0x[0-9a-f]+ m=(\d+|nil)( mp=0x[0-9a-f]+)?`), ""},
		{regexp.MustCompile(` m=\d+`), ""},
		{regexp.MustCompile(` fp=0x[0-9a-f]+ sp=0x[0-9a-f]+ pc=`), " pc="},
		{regexp.MustCompile(`goroutine \d+`), "goroutine N"},
		{regexp.MustCompile(`(?m)^([^\t(]\S*)\(.*\)$`), "$1(...)"},
		{regexp.MustCompile(`0x[0-9a-f]{8,}`), "0xADDRESS"},
	}
	gap = []byte("\n\n")
)

// traceback keeps a panic's message and the first goroutine's stack, without addresses, arguments
// and numbers that change from run to run. Program counters and source lines stay: the binary is
// the same on both sides.
func traceback(b []byte) []byte {
	for _, n := range traceNoise {
		b = n.pattern.ReplaceAll(b, []byte(n.with))
	}
	if at := bytes.Index(b, []byte("\n\ngoroutine N")); at >= 0 {
		if end := bytes.Index(b[at+2:], gap); end >= 0 {
			b = b[:at+2+end+1]
		}
	}
	return b
}
