// Gopsutil asks gopsutil everything that it can say about a process and its machine, and compares that
// with what the program knows by itself. For each question it prints a line: ok, the error, or what is
// wrong. What differs from host to host is never printed, so that two hosts can be compared.
package main

import (
	"fmt"
	"os"
	"reflect"
)

// problems are what is wrong with one answer.
type problems []string

func (p *problems) want(what string, ok bool, got any) {
	if !ok {
		*p = append(*p, fmt.Sprintf("%s: %+v", what, got))
	}
}

// same wants two values to be equal.
func (p *problems) same(what string, got, want any) {
	p.want(fmt.Sprintf("%s, want %v", what, want), reflect.DeepEqual(got, want), got)
}

var failed bool

// ask prints what became of one question. judge runs only when there was an answer.
func ask[T any](name string, question func() (T, error), judge func(p *problems, answer T)) {
	answer, err := question()
	if err != nil {
		fmt.Printf("%s: an error: %v\n", name, err)
		return
	}
	var p problems
	judge(&p, answer)
	if len(p) == 0 {
		fmt.Printf("%s: ok\n", name)
		return
	}
	failed = true
	fmt.Printf("%s: WRONG: %v\n", name, p)
}

func main() {
	w := newWork()
	askCPU()
	askMemory()
	askDisk()
	askHost()
	askNet(w)
	askProcess(w)
	askMore(w)
	if failed {
		os.Exit(1)
	}
}
