package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// result is what a package gave, as it is kept.
type result struct {
	Kernel  string            // a hash of the command, which has the kernel inside
	Native  map[string]string // test: PASS, FAIL, SKIP
	Machine map[string]string // the same; RUN when it began and never ended
	Again   map[string]string // of those that did not pass at first, alone
	Said    map[string]string // what they said then
	End     string            // how the run in the machine ended, "" when it did as on Linux
	Seconds float64           // in the machine
	Linux   float64           // seconds that Linux took
}

func (f folders) file(p pkg, suffix string) string {
	return filepath.Join(f.out, strings.ReplaceAll(p.path, "/", "_")+suffix)
}

func loadResult(f folders, p pkg) (r result, err error) {
	data, err := os.ReadFile(f.file(p, ".json"))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	return r, err
}

// measure builds the package's test, runs it on both sides and keeps the result.
func measure(f folders, p pkg, expected exceptions) (r result, err error) {
	dir, err := build(f, p)
	if err != nil {
		return r, err
	}
	r.Kernel = f.kernel
	begin := time.Now()
	native, code, err := start(f, p, dir, nil, testFlags(p))
	if err != nil {
		return r, fmt.Errorf("on Linux: %w", err)
	}
	r.Native = parse(native).verdicts
	r.Linux = time.Since(begin).Seconds()
	begin = time.Now()
	r.machine(f, p, dir, code, expected)
	r.Seconds = time.Since(begin).Seconds()
	data, err := json.MarshalIndent(r, "", "\t")
	if err == nil {
		err = os.WriteFile(f.file(p, ".json"), append(data, '\n'), 0o644)
	}
	return r, err
}

// machine runs the tests in the machine, and what did not pass once more.
func (r *result) machine(f folders, p pkg, dir string, nativeCode int, expected exceptions) {
	flags := testFlags(p)
	if names := expected.avoided(p.path); names != "" {
		flags = append(flags, "-test.skip="+names)
	}
	out, code, err := start(f, p, dir, machine(f, p), flags)
	log := parse(out)
	r.Machine, r.Said = log.verdicts, map[string]string{}
	switch {
	case err != nil:
		r.End = err.Error()
	case code != nativeCode:
		r.End = fmt.Sprintf("exit code %d, on Linux %d", code, nativeCode)
	}
	_ = os.WriteFile(f.file(p, ".machine"), out, 0o644)
	failed := r.unexpected(p, expected)
	for _, test := range failed {
		r.Said[test] = log.said[test]
	}
	if len(failed) > 0 && !*isOnce {
		r.again(f, p, dir, failed)
	}
}

// unexpected returns the tests that passed on Linux but not in the machine, and are not listed.
func (r *result) unexpected(p pkg, expected exceptions) (names []string) {
	for test, verdict := range r.Native {
		if verdict == "PASS" && r.Machine[test] != "PASS" && expected.find(p.path, test) == nil {
			names = append(names, test)
		}
	}
	sort.Strings(names)
	return names
}

// again runs tests alone: what passes then needs a quieter host, not another kernel. A test that
// fails twice is not lucky.
func (r *result) again(f folders, p pkg, dir string, failed []string) {
	const most = 40 // more than that is no accident
	tops := map[string]bool{}
	var names []string
	for _, test := range failed {
		top, _, _ := strings.Cut(test, "/")
		if !tops[top] {
			tops[top] = true
			names = append(names, "^"+top+"$")
		}
	}
	if len(names) > most {
		return
	}
	flags := append(testFlags(p), "-test.run="+strings.Join(names, "|"), "-test.parallel=1")
	out, _, _ := start(f, p, dir, machine(f, p), flags)
	log := parse(out)
	r.Again = log.verdicts
	_ = os.WriteFile(f.file(p, ".again"), out, 0o644)
	for _, test := range failed {
		if said := log.said[test]; said != "" {
			r.Said[test] = said
		}
	}
}

// testFlags are those of `go test -short -v`. The test's own limit is the first of two: it shows
// where the goroutines are.
func testFlags(p pkg) []string {
	flags := []string{"-test.v=test2json", "-test.short", "-test.paniconexit0",
		"-test.timeout=" + p.timeout.String()}
	if p.run != "" {
		flags = append(flags, "-test.run="+p.run)
	}
	return flags
}

// machine returns the command in front of the test's binary.
func machine(f folders, p pkg) []string {
	limit := p.timeout + time.Minute
	cpus := strings.Fields(setting("GOSOLO_CPUS", "2"))
	command := []string{f.gosolo, "exec", "-m", p.memory, "-c", cpus[len(cpus)-1],
		"--timeout", fmt.Sprintf("%ds", int(limit.Seconds()))}
	for _, add := range p.add {
		from, to, isElsewhere := strings.Cut(add, ":")
		if !filepath.IsAbs(from) {
			from = filepath.Join(f.goroot, from)
		}
		if !isElsewhere {
			to = from
		}
		if _, err := os.Stat(from); err == nil {
			command = append(command, "--add", from+":"+to)
		}
	}
	return append(command, strings.Fields(os.Getenv("STD_FLAGS"))...)
}

// start runs the test's binary in the package's folder. PATH leads nowhere, as in the machine: so
// tests that want the go command or others are skipped on both sides.
func start(f folders, p pkg, dir string, prefix, flags []string) ([]byte, int, error) {
	limit, cancel := context.WithTimeout(context.Background(), p.timeout+3*time.Minute)
	defer cancel()
	args := append(append(prefix, f.file(p, ".test")), flags...)
	cmd := exec.CommandContext(limit, args[0], args[1:]...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); !isHidden(name) {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, "PATH="+f.empty, "PWD="+dir)
	if prefix != nil { // gosolo looks for QEMU
		cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"))
		args = append([]string{"-e", "PATH=" + f.empty}, args[2:]...)
		cmd.Args = append(cmd.Args[:2], args...)
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && limit.Err() == nil {
		err = nil
	}
	return out.Bytes(), cmd.ProcessState.ExitCode(), err
}

// isHidden: what go test or the harness itself was told is not for the tests.
func isHidden(name string) bool {
	return name == "PATH" || name == "PWD" || name == "OUT" || strings.HasPrefix(name, "GO") ||
		strings.HasPrefix(name, "STD_")
}
