package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"gosolo/progs/prog"
)

func argsMain(args []string) {
	fmt.Println(len(args))
	for _, a := range args {
		fmt.Printf("%q\n", a)
	}
}

func envMain(args []string) {
	for _, name := range args {
		value, ok := os.LookupEnv(name)
		fmt.Printf("%s %v %q\n", name, ok, value)
	}
}

// catMain copies input to output and says on the error output how much it was.
func catMain([]string) {
	n, err := io.Copy(os.Stdout, os.Stdin)
	fmt.Fprintln(os.Stderr, n, "bytes", err)
}

// outputMain writes N bytes of different content to both outputs at the same time.
func outputMain(args []string) {
	n := prog.Int(args, 0, 10_000_000)
	var wg sync.WaitGroup
	for i, f := range []*os.File{os.Stdout, os.Stderr} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			b := make([]byte, n)
			prog.Pattern(b, uint64(i+1))
			for step := 1; len(b) > 0; step = step*3%70_001 + 1 { // writes of many sizes
				if step > len(b) {
					step = len(b)
				}
				_, err := f.Write(b[:step])
				prog.Must(err)
				b = b[step:]
			}
		}()
	}
	wg.Wait()
}

func exitDeferMain([]string) {
	defer fmt.Println("never printed")
	defer os.Exit(9)
	fmt.Println("printed")
}

func logMain([]string) {
	log.SetFlags(0)
	log.SetPrefix("prog: ")
	log.Print("a line on the error output")
	fmt.Println("a line on the output")
	log.Fatalf("the %s line", "last")
}

// cpusMain prints what Go sees; the test knows what it must be.
func cpusMain([]string) {
	fmt.Println(runtime.NumCPU(), runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH)
}

func identityMain([]string) {
	exe, err := os.Executable()
	prog.Must(err)
	fmt.Println("executable", filepath.IsAbs(exe), filepath.Base(exe))
	fmt.Println("name", filepath.Base(os.Args[0]))
	fmt.Println("pid", os.Getpid() > 0, "ppid", os.Getppid() >= 0)
	fmt.Println("uid", os.Getuid() >= 0, "page", os.Getpagesize())
	name, err := os.Hostname()
	fmt.Println("hostname", name != "", err)
	_, err = os.Getwd()
	fmt.Println("cwd", err)
}
