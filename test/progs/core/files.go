package main

import (
	"bufio"
	"bytes"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gosolo/progs/prog"
)

func filesMain([]string) {
	dir, err := os.MkdirTemp("/tmp", "files")
	prog.Must(err)
	defer func() { prog.Must(os.RemoveAll(dir)) }()
	prog.Must(os.Chdir(dir))
	writeAndRead()
	renameAndList()
	seekAndTruncate()
	fileErrors()
	treeWalk()
}

func writeAndRead() {
	data := make([]byte, 300_000)
	prog.Pattern(data, 5)
	prog.Must(os.WriteFile("a", data, 0o644))
	back, err := os.ReadFile("a")
	fmt.Println("same", bytes.Equal(back, data), err)
	info, err := os.Stat("a")
	prog.Must(err)
	fmt.Println(info.Name(), info.Size(), info.Mode(), info.IsDir())
	age := time.Since(info.ModTime())
	prog.Check(age > -time.Minute && age < time.Minute, "the new file is %v old", age)

	src, err := os.Open("a")
	prog.Must(err)
	dst, err := os.Create("copy")
	prog.Must(err)
	n, err := io.Copy(dst, src)
	fmt.Println("copied", n, err)
	prog.Must(errors.Join(src.Close(), dst.Close()))
	back, err = os.ReadFile("copy")
	fmt.Println("same", bytes.Equal(back, data), err)
}

func renameAndList() {
	prog.Must(os.Rename("copy", "b"))
	prog.Must(os.Rename("b", "a")) // over an existing file
	prog.Must(os.Mkdir("dir", 0o755))
	prog.Must(os.WriteFile("dir/inner", []byte("inner"), 0o600))
	prog.Must(os.Symlink("dir/inner", "link"))
	entries, err := os.ReadDir(".")
	prog.Must(err)
	for _, e := range entries {
		fmt.Println("entry", e.Name(), e.IsDir(), e.Type())
	}
	target, err := os.Readlink("link")
	fmt.Println("link", target, err)
	text, err := os.ReadFile("link")
	fmt.Println("through link", string(text), err)
	fmt.Println("remove full", errors.Is(os.Remove("dir"), syscall.ENOTEMPTY))
}

func seekAndTruncate() {
	f, err := os.OpenFile("log", os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	prog.Must(err)
	for i := 0; i < 3; i++ {
		fmt.Fprintln(f, "line", i)
	}
	end, err := f.Seek(0, io.SeekEnd)
	fmt.Println("end", end, err)
	_, err = f.Seek(7, io.SeekStart)
	prog.Must(err)
	rest, err := io.ReadAll(f)
	fmt.Printf("rest %q %v\n", rest, err)
	prog.Must(f.Truncate(5))
	info, err := f.Stat()
	prog.Must(err)
	fmt.Println("truncated", info.Size())
	_, err = f.WriteString("!")
	prog.Must(err)
	prog.Must(f.Sync())
	b := make([]byte, 10)
	n, err := f.ReadAt(b, 2)
	fmt.Printf("at %q %v\n", b[:n], err)
	prog.Must(os.Remove("log")) // still open
	_, err = f.Seek(0, io.SeekStart)
	prog.Must(err)
	rest, err = io.ReadAll(f)
	fmt.Printf("after removal %q %v\n", rest, err)
	prog.Must(f.Close())
	_, err = f.Write(b)
	fmt.Println("closed", errors.Is(err, os.ErrClosed))
}

func fileErrors() {
	_, err := os.Open("missing")
	fmt.Println(err, errors.Is(err, fs.ErrNotExist))
	_, err = os.OpenFile("a", os.O_CREATE|os.O_EXCL, 0o600)
	fmt.Println(err, errors.Is(err, fs.ErrExist))
	_, err = os.ReadFile("dir")
	fmt.Println(err)
	_, err = os.Open("a/b")
	fmt.Println(err)
	fmt.Println(os.Mkdir("dir", 0o700))
	fmt.Println(os.Chdir("nowhere"))
	fmt.Println(os.WriteFile("no/such/dir", nil, 0o600))
	fmt.Println(os.Remove("missing"))
}

func treeWalk() {
	for i := 0; i < 3; i++ {
		prog.Must(os.MkdirAll(fmt.Sprintf("tree/%d/deep/er", i), 0o755))
	}
	for i := 0; i < 300; i++ {
		prog.Must(os.WriteFile(fmt.Sprintf("tree/1/%03d", i), []byte{byte(i)}, 0o600))
	}
	files, dirs := 0, 0
	prog.Must(filepath.WalkDir("tree", func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() {
			dirs++
		} else {
			files++
		}
		return err
	}))
	fmt.Println("walked", files, dirs)
	prog.Must(os.RemoveAll("tree"))
	_, err := os.Stat("tree")
	fmt.Println(errors.Is(err, fs.ErrNotExist))
}

func pipesMain([]string) {
	r, w, err := os.Pipe()
	prog.Must(err)
	data := make([]byte, 1_000_000) // more than a pipe holds: the writer must wait
	prog.Pattern(data, 9)
	go func() {
		_, err := w.Write(data)
		prog.Must(err)
		prog.Must(w.Close())
	}()
	got, err := io.ReadAll(r)
	fmt.Println("same", bytes.Equal(got, data), err)
	prog.Must(r.Close())

	r, w, err = os.Pipe()
	prog.Must(err)
	prog.Must(r.SetReadDeadline(time.Now().Add(50 * time.Millisecond)))
	_, err = r.Read(make([]byte, 1))
	fmt.Println("deadline", errors.Is(err, os.ErrDeadlineExceeded))
	prog.Must(r.SetReadDeadline(time.Time{}))
	closed := make(chan error)
	time.AfterFunc(50*time.Millisecond, func() { closed <- r.Close() })
	_, err = r.Read(make([]byte, 1))
	fmt.Println("closed while reading", errors.Is(err, os.ErrClosed))
	prog.Must(<-closed) // Read ends before Close does, and the descriptor goes with the later one
	_, err = w.Write([]byte("x"))
	fmt.Println("no reader", errors.Is(err, syscall.EPIPE))

	r, w, err = os.Pipe()
	prog.Must(err)
	go func() {
		for i := 0; i < 5; i++ {
			fmt.Fprintln(w, "line", i)
			time.Sleep(5 * time.Millisecond)
		}
		w.Close()
	}()
	for lines := bufio.NewScanner(r); lines.Scan(); {
		fmt.Println(lines.Text())
	}
}

func devicesMain([]string) {
	n, err := os.Stdin.Read(nil)
	fmt.Println("stdin", n, err)
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	prog.Must(err)
	n, err = null.Write(make([]byte, 5000))
	fmt.Println("null write", n, err)
	n, err = null.Read(make([]byte, 10))
	fmt.Println("null read", n, err)
	zeros, err := os.Open("/dev/zero")
	prog.Must(err)
	b := bytes.Repeat([]byte{1}, 10_000)
	_, err = io.ReadFull(zeros, b)
	fmt.Println("zeros", bytes.Count(b, []byte{0}), err)
	for _, name := range []string{"/dev/urandom", "/dev/random"} {
		random, err := os.Open(name)
		prog.Must(err)
		_, err = io.ReadFull(random, b[:64])
		fmt.Println(name, bytes.Count(b[:64], []byte{0}) < 10, err)
	}
	info, err := os.Stat("/dev/null")
	prog.Must(err)
	fmt.Println(info.Mode())
	info, err = os.Stat("/tmp")
	prog.Must(err)
	fmt.Println(info.Mode())
}

// etcMain: the files that the standard library looks for are there and can be read.
func etcMain([]string) {
	hosts, err := os.ReadFile("/etc/hosts")
	fmt.Println("hosts", err, strings.Contains(string(hosts), "127.0.0.1"), strings.Contains(string(hosts), "localhost"))
	_, err = os.ReadFile("/etc/resolv.conf")
	fmt.Println("resolv.conf", err)
	passwd, err := os.ReadFile("/etc/passwd")
	fmt.Println("passwd", err, strings.HasPrefix(string(passwd), "root:"))
	certs, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	fmt.Println("certificates", err, strings.Contains(string(certs), "BEGIN CERTIFICATE"))
}

func randomMain([]string) {
	seen := map[[16]byte]bool{}
	var ones int
	for i := 0; i < 1000; i++ {
		var b [16]byte
		_, err := crand.Read(b[:])
		prog.Must(err)
		prog.Check(!seen[b], "random bytes came twice")
		seen[b] = true
		for _, c := range b {
			for ; c != 0; c &= c - 1 {
				ones++
			}
		}
	}
	prog.Check(ones > 63_000 && ones < 65_000, "%d of 128000 random bits are one", ones) // 5 sigma
	fmt.Println("random")
}

// showMain prints the files that it is given.
func showMain(args []string) {
	for _, name := range args {
		b, err := os.ReadFile(name)
		fmt.Printf("%s %q %v\n", name, b, err)
	}
}
