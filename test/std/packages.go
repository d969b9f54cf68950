package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"
)

// pkg is a line of the file `packages`: an import path, a version when it is of another module, and
// settings NAME=VALUE.
type pkg struct {
	path    string
	version string        // "" for the standard library
	subset  bool          // setting subset: part of the quick run
	memory  string        // m=1G: RAM of the machine
	run     string        // run=REGEX: only these tests
	timeout time.Duration // timeout=10m: of the run in the machine
	add     []string      // add=FROM[:TO]: more files, FROM in GOROOT unless absolute; may repeat
}

func readPackages(file string) ([]pkg, error) {
	var list []pkg
	err := eachLine(file, func(words []string) error {
		p, err := parsePackage(words)
		list = append(list, p)
		return err
	})
	return list, err
}

func parsePackage(words []string) (p pkg, err error) {
	p = pkg{path: words[0], memory: "1G", timeout: 10 * time.Minute}
	p.path, p.version, _ = strings.Cut(words[0], "@")
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "subset":
			p.subset = true
		case "m":
			p.memory = value
		case "run":
			p.run = value
		case "timeout":
			p.timeout, err = time.ParseDuration(value)
		case "add":
			p.add = append(p.add, value)
		default:
			err = fmt.Errorf("%s: no setting %s", words[0], name)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// eachLine gives the words of each line that is neither empty nor a comment.
func eachLine(file string, f func(words []string) error) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	lines := bufio.NewScanner(in)
	for number := 1; lines.Scan(); number++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if err := f(words); err != nil {
			return fmt.Errorf("%s:%d: %w", file, number, err)
		}
	}
	return lines.Err()
}

// choose returns the packages to run, in the order of the file.
func choose(list []pkg, named []string) ([]pkg, error) {
	if len(named) > 0 {
		return chooseNamed(list, named)
	}
	if !*isFull {
		var subset []pkg
		for _, p := range list {
			if p.subset {
				subset = append(subset, p)
			}
		}
		return subset, nil
	}
	all, err := goCommand("", "list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}", "std")
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, p := range list {
		known[p.path] = true
	}
	for _, path := range strings.Fields(all) {
		if !known[path] && !strings.HasPrefix(path, "vendor/") {
			p, _ := parsePackage([]string{path})
			list = append(list, p)
		}
	}
	return list, nil
}

func chooseNamed(list []pkg, named []string) ([]pkg, error) {
	var chosen []pkg
	for _, name := range named {
		p, err := parsePackage([]string{name})
		if err != nil {
			return nil, err
		}
		for _, known := range list {
			if known.path == p.path {
				p = known
			}
		}
		chosen = append(chosen, p)
	}
	return chosen, nil
}

// exception is a line of the file `expected`: the test and what is below it may fail or be skipped.
type exception struct {
	pkg, test string
	isAvoided bool   // "-Test": not run in the machine, since it would end or block the others
	release   string // "" or, by a word go=1.22, the release that it is for
	why       string
}

type exceptions []exception

func readExpected(file, release string) (exceptions, error) {
	var list exceptions
	err := eachLine(file, func(words []string) error {
		e, err := parseException(words)
		if e.release == "" || strings.HasPrefix(release, e.release) {
			list = append(list, e)
		}
		return err
	})
	return list, err
}

func parseException(words []string) (exception, error) {
	if len(words) < 3 {
		return exception{}, fmt.Errorf("want: package, test, reason")
	}
	e := exception{pkg: words[0], test: words[1]}
	words = words[2:]
	if value, ok := strings.CutPrefix(words[0], "go="); ok {
		e.release, words = "go"+value, words[1:]
	}
	e.test, e.isAvoided = strings.CutPrefix(e.test, "-")
	e.why = strings.Join(words, " ")
	if e.why == "" {
		return e, fmt.Errorf("%s has no reason", e.test)
	}
	return e, nil
}

// find returns the exception that covers a test, if there is one.
func (list exceptions) find(pkg, test string) *exception {
	for i, e := range list {
		if e.pkg == pkg && (test == e.test || strings.HasPrefix(test, e.test+"/")) {
			return &list[i]
		}
	}
	return nil
}

// avoided returns a pattern for -test.skip, or "".
func (list exceptions) avoided(pkg string) string {
	var names []string
	for _, e := range list {
		if e.pkg == pkg && e.isAvoided {
			names = append(names, "^"+strings.ReplaceAll(e.test, "/", "$/^")+"$")
		}
	}
	return strings.Join(names, "|")
}
