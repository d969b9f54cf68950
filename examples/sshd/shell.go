package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"time"
)

var started = time.Now()

// commands print to w, and return an error for the exit code.
var commands = map[string]func(w io.Writer, args []string) error{
	"uptime": func(w io.Writer, _ []string) error {
		_, err := fmt.Fprintln(w, time.Since(started).Round(time.Millisecond))
		return err
	},
	"echo": func(w io.Writer, args []string) error {
		_, err := fmt.Fprintln(w, strings.Join(args, " "))
		return err
	},
	"stack": func(w io.Writer, _ []string) error {
		buf := make([]byte, 1<<16)
		_, err := w.Write(buf[:runtime.Stack(buf, true)])
		return err
	},
	"dns": func(w io.Writer, args []string) error {
		for _, name := range args {
			addrs, err := net.LookupHost(name)
			if err != nil {
				return err
			}
			fmt.Fprintln(w, name, strings.Join(addrs, " "))
		}
		return nil
	},
	"ls": func(w io.Writer, args []string) error {
		entries, err := os.ReadDir(append(args, "/")[0])
		for _, e := range entries {
			fmt.Fprintln(w, e.Name())
		}
		return err
	},
	"cat": func(w io.Writer, args []string) error {
		for _, name := range args {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			_, err = io.Copy(w, f)
			f.Close()
			if err != nil {
				return err
			}
		}
		return nil
	},
}

// run runs one line: 0, 1 when it failed, 127 when there is no such command.
func run(w io.ReadWriter, line string) uint32 {
	words := strings.Fields(line)
	if len(words) == 0 {
		return 0
	}
	command := commands[words[0]]
	if command == nil {
		fmt.Fprintf(w, "no command %q: stack, dns, ls, cat, uptime, echo, exit\n", words[0])
		return 127
	}
	if err := command(w, words[1:]); err != nil {
		fmt.Fprintln(w, err)
		return 1
	}
	return 0
}

// crlf is a terminal that nobody turns "\n" into a new line for.
type crlf struct{ io.ReadWriter }

func (c crlf) Write(p []byte) (int, error) {
	_, err := io.WriteString(c.ReadWriter, strings.ReplaceAll(string(p), "\n", "\r\n"))
	return len(p), err
}

// shell reads lines, which it echoes, until exit or Ctrl-D; it returns the last one's code.
func shell(channel io.ReadWriter) (code uint32) {
	w := crlf{channel}
	var line []byte
	fmt.Fprint(w, "$ ")
	for key := make([]byte, 1); ; {
		if _, err := channel.Read(key); err != nil || key[0] == 4 {
			return code
		}
		switch key[0] {
		case '\r', '\n':
			fmt.Fprintln(w)
			if strings.TrimSpace(string(line)) == "exit" {
				return code
			}
			code = run(w, string(line))
			line = nil
			fmt.Fprint(w, "$ ")
		case 127, 8:
			if len(line) > 0 {
				line = line[:len(line)-1]
				fmt.Fprint(w, "\b \b")
			}
		default:
			line = append(line, key[0])
			w.Write(key)
		}
	}
}
