package main

import (
	"reflect"
	"strings"
	"testing"
)

const printed = "\x16=== RUN   TestA\n\x16=== RUN   TestA/one\nhello\x16    --- PASS: TestA/one (0.00s)\n" +
	"\x16--- FAIL: TestA (0.01s)\n\x16=== RUN   TestB\n\x16=== NAME  TestB\n    b_test.go:1: no fork\n" +
	"\x16--- SKIP: TestB (0.00s)\n\x16=== RUN   TestD/0x550706fc020\n\x16=== RUN   TestC\n--- PASS: TestC (0.00s) says the test\n"

func TestParse(t *testing.T) {
	l := parse([]byte(printed))
	want := map[string]string{"TestA": "FAIL", "TestA/one": "PASS", "TestB": "SKIP", "TestC": "RUN", "TestD/0x": "RUN"}
	if !reflect.DeepEqual(l.verdicts, want) {
		t.Errorf("got %v", l.verdicts)
	}
	if said := l.said["TestB"]; said != "    b_test.go:1: no fork\n" {
		t.Errorf("TestB said %q", said)
	}
}

func TestJudge(t *testing.T) {
	e := exceptions{{pkg: "p", test: "Fork"}, {pkg: "p", test: "Better"}, {pkg: "q", test: "Lost"}}
	native := map[string]string{"Same": "PASS", "Fork": "PASS", "Fork/sub": "PASS", "Better": "PASS",
		"Lost": "PASS", "Hung": "PASS", "Skipped": "PASS", "Broken": "FAIL", "Late": "PASS"}
	r := result{Native: native, Again: map[string]string{"Late": "PASS"}, End: "exit code 1, on Linux 0",
		Machine: map[string]string{"Same": "PASS", "Fork": "FAIL", "Better": "PASS", "Hung": "RUN",
			"Skipped": "SKIP", "Broken": "FAIL", "Late": "FAIL"}}
	v := judge(pkg{path: "p"}, r, e)
	for _, c := range []struct{ what, got, want string }{
		{"failed", strings.Join(v.failed, " "), "Hung Lost Skipped"},
		{"listed", strings.Join(v.listed, " "), "Fork Fork/sub"},
		{"better", strings.Join(v.better, " "), "Better"},
		{"again", strings.Join(v.again, " "), "Late"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, c.got, c.want)
		}
	}
	if v.passed != 2 {
		t.Errorf("passed: %d", v.passed)
	}
}

// An end that differs although every test passed is a difference too.
func TestJudgeEnd(t *testing.T) {
	all := map[string]string{"Same": "PASS"}
	if v := judge(pkg{path: "p"}, result{Native: all, Machine: all, End: "exit code 125, on Linux 0"}, nil); len(v.failed) != 1 {
		t.Errorf("got %+v", v)
	}
}

func TestLists(t *testing.T) {
	list, err := readPackages("packages")
	if err != nil || len(list) == 0 {
		t.Errorf("packages: %d, %v", len(list), err)
	}
	if _, err := readExpected("expected", "go1.22"); err != nil {
		t.Error(err)
	}
	for _, line := range []string{"p Test", "p"} {
		if _, err := parseException(strings.Fields(line)); err == nil {
			t.Errorf("%q was taken", line)
		}
	}
	e, err := parseException(strings.Fields("os -TestA/b go=1.22 why not"))
	if err != nil || !e.isAvoided || e.test != "TestA/b" || e.release != "go1.22" || e.why != "why not" {
		t.Errorf("got %+v, %v", e, err)
	}
	if got := (exceptions{e}).avoided("os"); got != "^TestA$/^b$" {
		t.Errorf("avoided: %q", got)
	}
}
