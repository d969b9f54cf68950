package main

import (
	"fmt"
	"sort"
	"strings"
)

// verdict is what is right and wrong with a package's result.
type verdict struct {
	passed int      // on both sides
	failed []string // passed on Linux, not in the machine, not listed
	again  []string // of these, those that passed when they ran alone; not in failed
	listed []string // as failed, but listed in `expected`
	better []string // listed, yet passed
	ended  string   // an end other than Linux's that no failed test explains
}

func judge(p pkg, r result, expected exceptions) (v verdict) {
	tests := make([]string, 0, len(r.Native))
	for test := range r.Native {
		tests = append(tests, test)
	}
	sort.Strings(tests)
	for _, test := range tests {
		if r.Native[test] != "PASS" {
			continue
		}
		isListed := expected.find(p.path, test) != nil
		switch passed := r.Machine[test] == "PASS"; {
		case passed:
			v.passed++
		case isListed:
			v.listed = append(v.listed, test)
		case r.Again[test] == "PASS":
			v.again = append(v.again, test)
		default:
			v.failed = append(v.failed, test)
		}
	}
	for _, e := range expected {
		if e.pkg == p.path && r.Machine[e.test] == "PASS" && r.Native[e.test] == "PASS" {
			v.better = append(v.better, e.test)
		}
	}
	if r.End != "" && len(v.failed)+len(v.listed)+len(v.again) == 0 {
		v.ended = r.End
		v.failed = append(v.failed, "(all)")
	}
	return v
}

func (v verdict) summary(r result) string {
	return fmt.Sprintf("%5d passed %3d failed %3d listed %3d alone %7.1f s, %.1f s on Linux",
		v.passed, len(v.failed), len(v.listed), len(v.again), r.Seconds, r.Linux)
}

// lines says what differs, with the end of what the tests said.
func (v verdict) lines(r result) (lines []string) {
	for _, test := range v.failed {
		verdict := r.Machine[test]
		if verdict == "" {
			verdict = "not run"
		}
		lines = append(lines, "FAILED "+test+": "+strings.ToLower(verdict))
		for _, said := range tail(r.Said[test], 6) {
			lines = append(lines, "    "+said)
		}
	}
	for _, test := range v.again {
		lines = append(lines, "passed only alone: "+test)
	}
	for _, test := range v.better {
		lines = append(lines, "listed in `expected`, yet passed: "+test)
	}
	if len(v.failed) > 0 && r.End != "" {
		lines = append(lines, "ended: "+r.End)
	}
	return lines
}

func tail(text string, count int) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > count {
		lines = lines[len(lines)-count:]
	}
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	return lines
}

const pageTop = `# Go's own tests in the machine

The test binaries of the standard library's packages, unchanged, run with -test.short on Linux and then
in the machine. What passes on Linux must pass there. Made by ` + "`" + `test/std.sh -full -table` + "`" + ` from the results
of ` + "`" + `make std` + "`" + `; a package that is not in the table was not run. *listed* are the tests that
[test/std/expected](../test/std/expected) names with a reason, nearly always that they start a second
process; subtests count. *only alone*: what failed at first and passed by itself, without other tests beside
it. The go command and other programs are not found on either side, so tests that need them skip on both.

`

// printTable prints docs/std.md from the results that are there.
func printTable(f folders, list []pkg, expected exceptions) error {
	var sum verdict
	failed := 0
	fmt.Print(pageTop)
	fmt.Printf("| package | passed | failed | listed | only alone | seconds |\n|---|---|---|---|---|---|\n")
	for _, p := range list {
		r, err := loadResult(f, p)
		if err != nil {
			continue
		}
		v := judge(p, r, expected)
		fmt.Printf("| %s | %d | %d | %d | %d | %.0f |\n", p.path, v.passed, len(v.failed),
			len(v.listed), len(v.again), r.Seconds)
		sum.passed += v.passed
		failed += len(v.failed)
	}
	fmt.Printf("\n%d tests of %s passed in the machine, %d that are not listed did not.\n", sum.passed, f.release, failed)
	return nil
}

// printSuggestions prints lines for `expected`: for somebody who then looks into each.
func printSuggestions(f folders, list []pkg, expected exceptions) error {
	for _, p := range list {
		r, err := loadResult(f, p)
		if err != nil {
			continue
		}
		v := judge(p, r, expected)
		for _, test := range v.failed {
			fmt.Printf("%s\t%s\t%s\n", p.path, test, guess(r.Said[test]))
		}
	}
	return nil
}

// guess: what a test said that could start no other process.
func guess(said string) string {
	for _, sign := range []string{"fork/exec", "function not implemented", "executable file not found"} {
		if strings.Contains(said, sign) {
			return "needs a second process"
		}
	}
	return "?"
}
