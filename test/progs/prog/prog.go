// Package prog is what the guest programs share: a table of named programs in one binary, and
// checks that end it.
//
// A guest program prints only what is the same on every machine, because a test compares what it
// prints on Linux with what it prints in the machine. What varies (a time, an address) is checked
// in the program itself, with Check.
package prog

import (
	"fmt"
	"os"
	"sort"
	"strconv"
)

// Main runs the program of table that os.Args[1] names, with the arguments after it.
func Main(table map[string]func(args []string)) {
	if len(os.Args) < 2 || table[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: PROGRAM [ARGUMENTS]; the programs are:")
		for _, name := range names(table) {
			fmt.Fprintln(os.Stderr, "  "+name)
		}
		os.Exit(64)
	}
	table[os.Args[1]](os.Args[2:])
}

func names(table map[string]func([]string)) []string {
	var list []string
	for name := range table {
		list = append(list, name)
	}
	sort.Strings(list)
	return list
}

// Check ends the program with exit code 70 and one line unless ok.
func Check(ok bool, format string, args ...any) {
	if !ok {
		fmt.Printf("FAIL: "+format+"\n", args...)
		os.Exit(70)
	}
}

// Must is Check for an error.
func Must(err error) {
	Check(err == nil, "%v", err)
}

// Int is the i-th argument as a number, or def when there is none.
func Int(args []string, i, def int) int {
	if i >= len(args) {
		return def
	}
	n, err := strconv.Atoi(args[i])
	Must(err)
	return n
}

// Pattern fills b with bytes that depend on seed and on their place, all 256 values among them.
func Pattern(b []byte, seed uint64) {
	x := seed*2 + 1
	for i := range b {
		x = x*6364136223846793005 + 1442695040888963407
		b[i] = byte(x >> 56)
	}
}

// Sum is a checksum of b that sees the order of the bytes (FNV-1a).
func Sum(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
