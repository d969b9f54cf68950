package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	quoted   = regexp.MustCompile("`([^`]+)`")
	testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
)

// namedTests are the names that docs/traps.md may give.
func namedTests(t *testing.T) map[string]bool {
	c := firstConfig(t)
	there := map[string]bool{}
	list, err := exec.Command(program(c.release, "conformance"), "-list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(list)) {
		there[name] = true
	}
	for _, p := range programs {
		there["TestPrograms/"+p.shows] = true
	}
	for _, s := range stressCases {
		there["TestStress/"+s.shows] = true
	}
	there["TestStress/registers"] = true
	files, _ := filepath.Glob("*_test.go")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testFunc.FindAllSubmatch(text, -1) {
			there[string(m[1])] = true
		}
	}
	units, _ := filepath.Glob(fromRoot("test/unit/*_test.c"))
	for _, unit := range units {
		there["unit/"+strings.TrimSuffix(filepath.Base(unit), ".c")] = true
	}
	return there
}

// TestTraps: every line of the page about traps names what holds it, and every name is a test.
func TestTraps(t *testing.T) {
	text, err := os.ReadFile(fromRoot("docs/traps.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := namedTests(t)
	lines := 0
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || strings.Contains(line, "held by") || strings.HasPrefix(line, "|---") {
			continue
		}
		lines++
		names := quoted.FindAllStringSubmatch(cells[len(cells)-2], -1)
		if len(names) == 0 {
			t.Errorf("nothing holds:%s", cells[1])
		}
		for _, n := range names {
			if !there[n[1]] {
				t.Errorf("%s is no test:%s", n[1], cells[1])
			}
		}
	}
	if lines < 60 {
		t.Errorf("%d lines", lines)
	}
}
