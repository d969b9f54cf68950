// Command std runs the test binaries of Go's own packages on this Linux and in the machine. Every
// test that passes here must pass there, except those that the file `expected` names with a reason.
//
//	std [flags] [PACKAGE...]
//
// Without packages: those of the file `packages` that are marked as subset, or with -full all of
// that file and then all others of the standard library that have tests. What a package gave is
// kept under $OUT/std/<release>/; the next run goes on behind it, unless the package is named on the
// command line, -again is set, or -older and the result is of another build of the command.
//
// Parameters of the environment: OUT, the folder of the build (default build); GOSOLO, the command
// (default $OUT/gosolo); GOSOLO_GO, a release such as go1.22.0 (default: the go command's own);
// GOSOLO_CPUS (default 2; of several, the last); STD_FLAGS, more flags of `gosolo exec`.
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

var (
	isFull  = flag.Bool("full", false, "all packages of the standard library that have tests")
	isAgain = flag.Bool("again", false, "also the packages whose results are there")
	isOlder = flag.Bool("older", false, "also the packages whose results are of another build")
	isTable = flag.Bool("table", false, "run nothing; print the results that are there as a page")
	isOnce  = flag.Bool("once", false, "a test that fails is not tried again alone; it has failed")
	suggest = flag.Bool("suggest", false, "run nothing; print lines for `expected` from the results that are there")
)

func setting(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// folders of a run. All are absolute.
type folders struct{ out, empty, gosolo, goroot, release, kernel string } // kernel: a hash of the command

func newFolders() (folders, error) {
	out, err := filepath.Abs(setting("OUT", "../../build"))
	if err != nil {
		return folders{}, err
	}
	env, err := goCommand("", "env", "GOVERSION", "GOROOT")
	if err != nil {
		return folders{}, err
	}
	words := strings.Fields(env)
	f := folders{
		out:     filepath.Join(out, "std", words[0]),
		empty:   filepath.Join(out, "std", "empty"),
		gosolo:  setting("GOSOLO", filepath.Join(out, "gosolo")),
		goroot:  words[1],
		release: words[0],
	}
	command, err := os.ReadFile(f.gosolo)
	if err != nil {
		return f, err
	}
	f.kernel = fmt.Sprintf("%x", sha256.Sum256(command))[:12]
	if err := os.MkdirAll(f.empty, 0o755); err != nil {
		return f, err
	}
	return f, os.MkdirAll(f.out, 0o755)
}

func main() {
	flag.Parse()
	// Who starts this in the background may have it ignore these, and so would the tests, which wait for
	// them. What is caught here is not ignored in what is started.
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	failed, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "std:", err)
		os.Exit(2)
	}
	if failed > 0 {
		fmt.Printf("std: %d packages differ\n", failed)
		os.Exit(1)
	}
}

func run() (failed int, err error) {
	f, err := newFolders()
	if err != nil {
		return 0, err
	}
	list, err := readPackages("packages")
	if err != nil {
		return 0, err
	}
	expected, err := readExpected("expected", f.release)
	if err != nil {
		return 0, err
	}
	list, err = choose(list, flag.Args())
	if err != nil {
		return 0, err
	}
	switch {
	case *isTable:
		return 0, printTable(f, list, expected)
	case *suggest:
		return 0, printSuggestions(f, list, expected)
	}
	for _, p := range list {
		if !runPackage(f, p, expected) {
			failed++
		}
	}
	return failed, nil
}

// runPackage prints a line for the package, and what differs; it tells whether nothing does.
func runPackage(f folders, p pkg, expected exceptions) bool {
	r, err := loadResult(f, p)
	if err != nil || *isAgain || flag.NArg() > 0 || (*isOlder && r.Kernel != f.kernel) {
		r, err = measure(f, p, expected)
	}
	if err != nil {
		fmt.Printf("%-28s %v\n", p.path, err)
		return false
	}
	v := judge(p, r, expected)
	fmt.Printf("%-28s %s\n", p.path, v.summary(r))
	for _, line := range v.lines(r) {
		fmt.Println("    " + line)
	}
	return len(v.failed) == 0
}
