// Repl is a prompt on the console: lines in, answers out, until "exit" or the end of the input.
//
//	gosolo run ./repl
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"time"
)

var started = time.Now()

// commands are what can be typed.
var commands = map[string]func(words []string){
	"echo":   func(words []string) { fmt.Println(strings.Join(words, " ")) },
	"uptime": func([]string) { fmt.Println(time.Since(started).Round(time.Millisecond)) },
	"cpus":   func([]string) { fmt.Println(runtime.NumCPU()) },
	"memory": func([]string) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println(m.HeapAlloc, "bytes in use,", m.NumGC, "collections")
	},
	"ls": func(words []string) {
		entries, err := os.ReadDir(strings.Join(append(words, "/")[:1], ""))
		if err != nil {
			fmt.Println(err)
		}
		for _, e := range entries {
			fmt.Println(e)
		}
	},
}

func help() {
	names := []string{"exit", "help"}
	for name := range commands {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Println(strings.Join(names, " "))
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	for fmt.Print("> "); in.Scan(); fmt.Print("> ") {
		words := strings.Fields(in.Text())
		if len(words) == 0 {
			continue
		}
		switch run := commands[words[0]]; {
		case words[0] == "exit":
			return
		case words[0] == "help":
			help()
		case run == nil:
			fmt.Printf("no command %q; try help\n", words[0])
		default:
			run(words[1:])
		}
	}
	fmt.Println()
}
