package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Kinds of arguments of abi/linux/syscalls.def that are numbers. All others are pointers.
var numberKinds = " fd int uint len off hex mode flags dirfd sig prot mapflags madvice cloneflags futexop clock " +
	"timerflags how rlimit prctl archprctl openflags fdflags atflags whence fcntl ioctl flockop inmask epollop " +
	"domain socktype shutdown msgflags level optname "

// Pointers that the table of calls calls something else.
var morePointers = []string{"prctl.2", "fcntl.3"}

// Pointers that are nothing to walk through bad ones with: what is checked instead.
var otherPointerChecks = map[string]string{
	"clone.2":           "pointers/threads-that-begin",
	"clone.3":           "pointers/threads-that-begin",
	"clone.4":           "pointers/threads-that-begin",
	"clone.5":           "pointers/threads-that-begin",
	"set_tid_address.1": "pointers/threads-that-end",
	"set_robust_list.1": "pointers/threads-that-end",
}

var callLine = regexp.MustCompile(`(?m)^SYSCALL\((\d+), (\w+), "([^"]*)"`)

// TestEveryPointerIsTested: each argument of each call that is a pointer has its check of bad ones, by
// the call's right number.
func TestEveryPointerIsTested(t *testing.T) {
	c := firstConfig(t)
	list, err := exec.Command(program(c.release, "conformance"), "-list").Output()
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, name := range strings.Fields(string(list)) {
		there[name] = true
		if call, _, ok := strings.Cut(name, "-"); ok && strings.Contains(call, ".") {
			there[call] = true // one of the call's forms
		}
	}
	numbers, pointers := readCalls(t)
	for _, p := range append(pointers, morePointers...) {
		check := "pointers/" + p
		if other := otherPointerChecks[p]; other != "" {
			check = other
		}
		if !there[check] {
			t.Errorf("%s is a pointer: there is no check %s", p, check)
		}
	}
	rows := regexp.MustCompile(`call: "(\w+)", number: (\d+)`)
	files, _ := filepath.Glob(fromRoot("test/conformance/pointers*.go"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range rows.FindAllStringSubmatch(string(text), -1) {
			if numbers[m[1]] != m[2] {
				t.Errorf("%s: %s is call %s", filepath.Base(file), m[1], numbers[m[1]])
			}
		}
	}
}

// readCalls reads the table of calls: their numbers, and "name.argument" for each pointer.
func readCalls(t *testing.T) (numbers map[string]string, pointers []string) {
	text, err := os.ReadFile(fromRoot("abi/linux/syscalls.def"))
	if err != nil {
		t.Fatal(err)
	}
	numbers = map[string]string{}
	for _, m := range callLine.FindAllStringSubmatch(string(text), -1) {
		numbers[m[2]] = m[1]
		for i, kind := range strings.Split(m[3], ",") {
			if kind != "" && !strings.Contains(numberKinds, " "+kind+" ") {
				pointers = append(pointers, fmt.Sprintf("%s.%d", m[2], i+1))
			}
		}
	}
	if len(numbers) < 200 || len(pointers) < 200 {
		t.Fatalf("%d calls and %d pointers in the table", len(numbers), len(pointers))
	}
	return numbers, pointers
}
