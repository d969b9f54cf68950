package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// Copies between descriptors: splice, tee, vmsplice, sendfile, copy_file_range.
var spliceChecks = []check{
	{"splice-file-and-pipe", spliceFileAndPipe},
	{"splice-pipes", splicePipes},
	{"splice-sockets", spliceSockets},
	{"splice-errors", spliceErrors},
	{"splice-waits", spliceWaits},
	{"tee", teePipes},
	{"vmsplice", vmsplice},
	{"sendfile", sendfile},
	{"copy-file-range", copyFileRange},
	{"copy-file-range-errors", copyFileRangeErrors},
	{"relay-of-connections", relayOfConnections},
}

const spliceNonblock = 2

func splice(in int, inAt *int64, out int, outAt *int64, n int, flags uintptr) (int, syscall.Errno) {
	var a, b uintptr
	if inAt != nil {
		a = ptr(inAt)
	}
	if outAt != nil {
		b = ptr(outAt)
	}
	r, e := call(syscall.SYS_SPLICE, uintptr(in), a, uintptr(out), b, uintptr(n), flags)
	return int(r), e
}

func spliceFileAndPipe(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	data := fill(40000, 9)
	t.Must("WriteFile", os.WriteFile(dir+"/in", data, 0o600))
	in, out := open(t, dir+"/in", syscall.O_RDONLY, 0), open(t, dir+"/out", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(in)
	defer syscall.Close(out)
	r, w := pipe(t, 0)
	defer syscall.Close(r)
	defer syscall.Close(w)
	at, done := int64(100), int64(50)
	for int(at) < len(data) {
		n, e := splice(in, &at, w, nil, 10000, 0)
		if e != 0 || n <= 0 {
			t.Fatalf("from the file at %d: %d, %v", at, n, e)
		}
		for n > 0 {
			m, e := splice(r, nil, out, &done, n, 0)
			if e != 0 || m <= 0 {
				t.Fatalf("to the file at %d: %d, %v", done, m, e)
			}
			n -= m
		}
	}
	n, e := splice(in, &at, w, nil, 10000, 0)
	t.Want("at the end", n == 0 && e == 0, true)
	got, _ := os.ReadFile(dir + "/out")
	t.Want("bytes", bytes.Equal(got, append(make([]byte, 50), data[100:]...)), true)
	pos, _ := syscall.Seek(in, 0, 1)
	t.Want("position, not used", pos, int64(0))
	splice(in, nil, w, nil, 10, 0)
	splice(r, nil, out, nil, 4, 0)
	pos, _ = syscall.Seek(in, 0, 1)
	t.Want("position of the first", pos, int64(10))
	pos, _ = syscall.Seek(out, 0, 1)
	t.Want("position of the second", pos, int64(4))
	b := make([]byte, 10)
	n, _ = syscall.Read(r, b)
	t.Want("what is left in the pipe", string(b[:n]), string(data[4:10]))
}

func splicePipes(t *T) {
	r1, w1 := pipe(t, 0)
	r2, w2 := pipe(t, 0)
	for _, fd := range []int{r1, w1, r2, w2} {
		defer syscall.Close(fd)
	}
	data := fill(70000, 4)
	syscall.Write(w1, data[:50000])
	n, e := splice(r1, nil, w2, nil, 1<<20, 0)
	t.Want("moved", n == 50000 && e == 0, true)
	syscall.Write(w1, data[50000:])
	b := make([]byte, 70000)
	var got []byte
	for len(got) < 50000 {
		n, _ := syscall.Read(r2, b)
		got = append(got, b[:n]...)
	}
	n, _ = splice(r1, nil, w2, nil, 5, 0)
	t.Want("some", n, 5)
	n, _ = syscall.Read(r2, b)
	got = append(got, b[:n]...)
	n, _ = syscall.Read(r1, b)
	got = append(got, b[:n]...)
	t.Want("bytes", bytes.Equal(got, data), true)
	_, e = splice(r1, nil, w2, nil, 10, spliceNonblock)
	t.Want("empty", e, syscall.EAGAIN)
}

func socketPair(t *T) (a, b int) {
	p, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	t.Must("socketpair", err)
	return p[0], p[1]
}

func spliceSockets(t *T) {
	a, b := socketPair(t)
	defer syscall.Close(b)
	r, w := pipe(t, 0)
	defer syscall.Close(r)
	defer syscall.Close(w)
	syscall.Write(a, []byte("through"))
	n, e := splice(b, nil, w, nil, 1<<16, 0)
	t.Want("from a socket", n == 7 && e == 0, true)
	n, e = splice(r, nil, a, nil, 1<<16, 0)
	t.Want("to a socket", n == 7 && e == 0, true)
	buf := make([]byte, 10)
	n, _ = syscall.Read(b, buf)
	t.Want("bytes", string(buf[:n]), "through")
	syscall.SetNonblock(b, true)
	_, e = splice(b, nil, w, nil, 100, 0)
	t.Want("nothing there", e, syscall.EAGAIN)
	syscall.Close(a)
	n, e = splice(b, nil, w, nil, 100, 0)
	t.Want("end", n == 0 && e == 0, true)
}

func spliceErrors(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	f := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	app := open(t, dir+"/f", syscall.O_RDWR|syscall.O_APPEND, 0o600)
	r, w := pipe(t, 0)
	for _, fd := range []int{f, app, r, w} {
		defer syscall.Close(fd)
	}
	syscall.Write(w, []byte("xx"))
	at, minus := int64(0), int64(-1)
	for _, c := range []struct {
		what  string
		in    int
		inAt  *int64
		out   int
		outAt *int64
		n     int
		flags uintptr
		want  syscall.Errno
	}{
		{"no pipe", f, nil, app, nil, 10, 0, syscall.EINVAL}, {"the same pipe", r, nil, w, nil, 10, 0, syscall.EINVAL},
		{"offset of a pipe", r, &at, f, nil, 10, 0, syscall.ESPIPE}, {"offset of a pipe", f, nil, w, &at, 10, 0, syscall.ESPIPE},
		{"to append", r, nil, app, nil, 10, 0, syscall.EINVAL}, {"wrong end", w, nil, f, nil, 10, 0, syscall.EBADF},
		{"wrong end", f, nil, r, nil, 10, 0, syscall.EBADF}, {"unknown flag", r, nil, f, nil, 10, 64, syscall.EINVAL},
		{"negative offset", f, &minus, w, nil, 10, 0, syscall.EINVAL}, {"nothing", r, nil, f, nil, 0, 0, 0},
		{"no file", -1, nil, w, nil, 10, 0, syscall.EBADF},
	} {
		if _, e := splice(c.in, c.inAt, c.out, c.outAt, c.n, c.flags); e != c.want {
			t.Errorf("%s: %v, want %v", c.what, e, c.want)
		}
	}
	syscall.Close(r)
	_, e := splice(f, nil, w, nil, 10, 0)
	if e != syscall.EPIPE && e != 0 { // Linux may find the end of the file first
		t.Errorf("no reader: %v", e)
	}
}

func spliceWaits(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	f := open(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	r, w := pipe(t, 0)
	defer syscall.Close(f)
	defer syscall.Close(r)
	go func() {
		time.Sleep(50 * time.Millisecond)
		syscall.Write(w, []byte("late"))
		time.Sleep(50 * time.Millisecond)
		syscall.Close(w)
	}()
	n, e := splice(r, nil, f, nil, 100, 0)
	t.Want("waited for bytes", n == 4 && e == 0, true)
	n, e = splice(r, nil, f, nil, 100, 0)
	t.Want("waited for the end", n == 0 && e == 0, true)
	t.Want("contents", contents(t, dir+"/f"), "late")
}

func tee(in, out, n int, flags uintptr) (int, syscall.Errno) {
	r, e := call(syscall.SYS_TEE, uintptr(in), uintptr(out), uintptr(n), flags)
	return int(r), e
}

func teePipes(t *T) {
	r1, w1 := pipe(t, 0)
	r2, w2 := pipe(t, 0)
	f := open(t, "/dev/null", syscall.O_RDWR, 0)
	for _, fd := range []int{r1, w1, r2, w2, f} {
		defer syscall.Close(fd)
	}
	data := fill(9000, 2)
	syscall.Write(w1, data)
	n, e := tee(r1, w2, 1<<20, 0)
	t.Want("copied", n == 9000 && e == 0, true)
	b := make([]byte, 10000)
	for _, r := range []int{r2, r1} {
		n, _ := syscall.Read(r, b)
		t.Want("bytes of both", bytes.Equal(b[:n], data), true)
	}
	_, e = tee(r1, w2, 10, spliceNonblock)
	t.Want("empty", e, syscall.EAGAIN)
	_, e = tee(r1, w1, 10, 0)
	t.Want("the same pipe", e, syscall.EINVAL)
	_, e = tee(f, w2, 10, 0)
	t.Want("no pipe", e, syscall.EINVAL)
}

func vmsplice(t *T) {
	r, w := pipe(t, 0)
	defer syscall.Close(r)
	one, two := []byte("one"), []byte("two")
	v := []iovec{iovecOf(one), iovecOf(two)}
	n, e := call(syscall.SYS_VMSPLICE, uintptr(w), ptr(&v[0]), 2, 0)
	t.Want("into the pipe", n, uintptr(6))
	t.Want("into the pipe", e, syscall.Errno(0))
	b := make([]byte, 10)
	m, _ := syscall.Read(r, b)
	t.Want("bytes", string(b[:m]), "onetwo")
	f := open(t, "/dev/null", syscall.O_RDWR, 0)
	_, e = call(syscall.SYS_VMSPLICE, uintptr(f), ptr(&v[0]), 2, 0)
	t.Want("no pipe", e, syscall.EBADF)
	syscall.Close(f)
	big := iovecOf(make([]byte, 1<<20))
	n, e = call(syscall.SYS_VMSPLICE, uintptr(w), ptr(&big), 1, spliceNonblock)
	t.Want("as much as fits", e == 0 && n >= 4096 && n < 1<<20, true)
	_, e = call(syscall.SYS_VMSPLICE, uintptr(w), ptr(&big), 1, spliceNonblock)
	t.Want("full", e, syscall.EAGAIN)
	syscall.Close(w)
}

func sendfile(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	data := fill(300000, 8)
	t.Must("WriteFile", os.WriteFile(dir+"/in", data, 0o600))
	in := open(t, dir+"/in", syscall.O_RDONLY, 0)
	out := open(t, dir+"/out", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	app := open(t, dir+"/out", syscall.O_WRONLY|syscall.O_APPEND, 0o600)
	r, w := pipe(t, 0)
	for _, fd := range []int{in, out, app, r, w} {
		defer syscall.Close(fd)
	}
	at := int64(1000)
	for int(at) < len(data) {
		n, err := syscall.Sendfile(out, in, &at, 1<<20)
		if err != nil || n == 0 {
			t.Fatalf("at %d: %d, %v", at, n, err)
		}
	}
	got, _ := os.ReadFile(dir + "/out")
	t.Want("to a file", bytes.Equal(got, data[1000:]), true)
	n, err := syscall.Sendfile(w, in, nil, 5000)
	t.Must("to a pipe", err)
	b := make([]byte, 6000)
	m, _ := syscall.Read(r, b)
	t.Want("to a pipe", n == 5000 && bytes.Equal(b[:m], data[:5000]), true)
	pos, _ := syscall.Seek(in, 0, 1)
	t.Want("position", pos, int64(5000))
	_, err = syscall.Sendfile(app, in, nil, 10)
	t.Want("to append", errnoOf(err), syscall.EINVAL)
	_, err = syscall.Sendfile(in, in, nil, 10)
	t.Want("to a read-only descriptor", errnoOf(err), syscall.EBADF)
	at = int64(len(data))
	n, err = syscall.Sendfile(out, in, &at, 10)
	t.Want("at the end", n == 0 && err == nil, true)
}

func copyRange(in int, inAt *int64, out int, outAt *int64, n int, flags uintptr) (int, syscall.Errno) {
	var a, b uintptr
	if inAt != nil {
		a = ptr(inAt)
	}
	if outAt != nil {
		b = ptr(outAt)
	}
	r, e := call(sysCopyFileRange, uintptr(in), a, uintptr(out), b, uintptr(n), flags)
	return int(r), e
}

func copyFileRange(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	data := fill(200000, 6)
	t.Must("WriteFile", os.WriteFile(dir+"/in", data, 0o600))
	in := open(t, dir+"/in", syscall.O_RDWR, 0)
	out := open(t, dir+"/out", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	defer syscall.Close(in)
	defer syscall.Close(out)
	from, to := int64(3), int64(10000)
	for int(from) < len(data) {
		n, e := copyRange(in, &from, out, &to, 1<<20, 0)
		if e != 0 || n == 0 {
			t.Fatalf("at %d: %d, %v", from, n, e)
		}
	}
	got, _ := os.ReadFile(dir + "/out")
	t.Want("bytes", bytes.Equal(got, append(make([]byte, 10000), data[3:]...)), true)
	n, e := copyRange(in, nil, out, nil, 100, 0)
	t.Want("at the positions", n == 100 && e == 0, true)
	pos, _ := syscall.Seek(out, 0, 1)
	t.Want("position", pos, int64(100))
	from, to = 0, 150000
	n, e = copyRange(in, &from, in, &to, 50000, 0)
	t.Want("within one file", n == 50000 && e == 0, true)
	from = 1 << 30
	n, e = copyRange(in, &from, out, nil, 100, 0)
	t.Want("past the end", n == 0 && e == 0, true)
}

func copyFileRangeErrors(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	write(t, dir+"/f", "0123456789")
	f := open(t, dir+"/f", syscall.O_RDWR, 0)
	ro := open(t, dir+"/f", syscall.O_RDONLY, 0)
	app := open(t, dir+"/f", syscall.O_RDWR|syscall.O_APPEND, 0)
	d := open(t, dir, syscall.O_RDONLY, 0)
	g := open(t, dir+"/g", syscall.O_CREAT|syscall.O_RDWR, 0o600)
	r, w := pipe(t, 0)
	for _, fd := range []int{f, ro, app, d, g, r, w} {
		defer syscall.Close(fd)
	}
	zero, five := int64(0), int64(5)
	_, e := copyRange(f, &zero, f, &five, 8, 0)
	t.Want("overlap", e, syscall.EINVAL)
	_, e = copyRange(f, nil, g, nil, 5, 1)
	t.Want("flags", e, syscall.EINVAL)
	_, e = copyRange(f, nil, ro, nil, 5, 0)
	t.Want("to read-only", e, syscall.EBADF)
	_, e = copyRange(g, nil, app, nil, 5, 0)
	t.Want("to append", e, syscall.EBADF)
	_, e = copyRange(d, nil, g, nil, 5, 0)
	t.Want("from a directory", e, syscall.EISDIR)
	_, e = copyRange(r, nil, g, nil, 5, 0)
	t.Want("from a pipe", e, syscall.EINVAL)
	_, e = copyRange(f, nil, w, nil, 5, 0)
	t.Want("to a pipe", e, syscall.EINVAL)
}

// relayOfConnections: io.Copy between TCP connections uses splice; every byte is checked, in both
// directions at once.
func relayOfConnections(t *T) {
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		t.Must("listen", err)
		return l
	}
	server, relay := listen(), listen()
	defer server.Close()
	defer relay.Close()
	go func() { // says back what it hears, each byte turned
		c, err := server.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b := make([]byte, 32<<10)
		for {
			n, err := c.Read(b)
			for i := range b[:n] {
				b[i] ^= 0xff
			}
			c.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	go func() {
		in, err := relay.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", server.Addr().String())
		if err != nil {
			in.Close()
			return
		}
		go func() {
			io.Copy(out, in)
			out.(*net.TCPConn).CloseWrite()
		}()
		io.Copy(in, out)
		in.Close()
		out.Close()
	}()
	c, err := net.Dial("tcp", relay.Addr().String())
	t.Must("dial", err)
	defer c.Close()
	data := fill(3<<20, 5)
	go func() {
		c.Write(data)
		c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	t.Must("read", err)
	for i := range got {
		got[i] ^= 0xff
	}
	t.Want("bytes", bytes.Equal(got, data), true)
}
