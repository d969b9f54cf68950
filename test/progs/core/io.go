package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"unsafe"

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

// terminalMain sets the terminal to raw mode, shows the bytes that then come, and puts it back; then
// it waits for another window size.
func terminalMain([]string) {
	termios := func(request uintptr, t *syscall.Termios) {
		_, _, e := syscall.Syscall(syscall.SYS_IOCTL, 0, request, uintptr(unsafe.Pointer(t)))
		if e != 0 {
			fmt.Println("termios:", e)
			os.Exit(1)
		}
	}
	const setAfterOutput = syscall.TCSETS + 1
	var before, raw, now syscall.Termios
	termios(syscall.TCGETS, &before)
	raw = before
	raw.Iflag &^= syscall.BRKINT | syscall.ICRNL | syscall.INPCK | syscall.ISTRIP | syscall.IXON
	raw.Oflag &^= syscall.OPOST
	raw.Lflag &^= syscall.ECHO | syscall.ICANON | syscall.IEXTEN | syscall.ISIG
	raw.Cc[syscall.VMIN], raw.Cc[syscall.VTIME] = 1, 0
	termios(setAfterOutput, &raw)
	termios(syscall.TCGETS, &now)
	fmt.Print("raw: ", now == raw, "\r\n")
	b := make([]byte, 4)
	for i := range b {
		if _, err := os.Stdin.Read(b[i : i+1]); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Print(b, "\r\n")
	fmt.Print(strings.Repeat("as it is\n", 5000)) // shown by the settings of now, however late it is shown
	termios(syscall.TCSETS, &before)
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	fmt.Println("back:", now != before)
	<-resized
	var size [4]uint16
	syscall.Syscall(syscall.SYS_IOCTL, 1, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	fmt.Println("window:", size[0], size[1])
}
