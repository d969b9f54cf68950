package main

import (
	"regexp"
	"strings"
)

// log is what a test binary printed with -test.v=test2json.
type log struct {
	verdicts map[string]string // test: PASS, FAIL, SKIP, or RUN when it has not ended
	said     map[string]string // test: its last lines
}

// A mark (Ctrl-V) stands in front of what the testing package itself prints, wherever the test's
// own output left the line.
var marked = regexp.MustCompile(`\x16 *(?:=== (RUN|CONT|NAME|PAUSE) +(\S+)|--- (PASS|FAIL|SKIP): (\S+) \()`)

// address is what a test's name has from %p or %v of a pointer: another one in each run.
var address = regexp.MustCompile(`0x[0-9a-f]{6,}`)

// parse reads such an output, also one that ends in the middle.
func parse(out []byte) log {
	l := log{map[string]string{}, map[string]string{}}
	current := ""
	for _, line := range strings.Split(string(out), "\n") {
		before := line
		for _, m := range marked.FindAllStringSubmatchIndex(line, -1) {
			if m[2] >= 0 {
				current = address.ReplaceAllString(line[m[4]:m[5]], "0x")
				if line[m[2]:m[3]] == "RUN" {
					l.verdicts[current] = "RUN"
				}
			} else {
				current = address.ReplaceAllString(line[m[8]:m[9]], "0x")
				l.verdicts[current] = line[m[6]:m[7]]
			}
			before = ""
		}
		if before != "" && current != "" {
			l.add(current, before)
		}
	}
	return l
}

// add keeps the last lines that a test said.
func (l *log) add(test, line string) {
	const most = 2000 // bytes
	text := l.said[test] + line + "\n"
	if len(text) > most {
		text = text[len(text)-most:]
	}
	l.said[test] = text
}
