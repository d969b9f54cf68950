// Cat copies its standard input, or the files that it is given, to its standard output.
//
//	echo hello | gosolo run ./examples/cat
package main

import (
	"fmt"
	"io"
	"os"
)

func copyFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(os.Stdout, f)
	return err
}

func main() {
	if len(os.Args) == 1 {
		if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, "cat:", err)
			os.Exit(1)
		}
		return
	}
	code := 0
	for _, name := range os.Args[1:] {
		if err := copyFile(name); err != nil {
			fmt.Fprintln(os.Stderr, "cat:", err)
			code = 1
		}
	}
	os.Exit(code)
}
