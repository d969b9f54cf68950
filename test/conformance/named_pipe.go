package main

import (
	"os"
	"syscall"
	"time"
)

// Named pipes: what outlives their ends, and what is told of them.
var namedPipeChecks = []check{
	{"named-pipe-is-new", namedPipeIsNew},
	{"named-pipe-hangs-up", namedPipeHangsUp},
	{"named-pipe-is-a-file", namedPipeIsAFile},
}

func makeFifo(t *T) (dir, path string) {
	dir = tempDir(t)
	t.Must("mkfifo", syscall.Mkfifo(dir+"/p", 0o600))
	return dir, dir + "/p"
}

// polled is what holds now, of all that poll reports.
func polled(t *T, fd int) int16 {
	p := struct {
		fd              int32
		events, revents int16
	}{int32(fd), 1 | 4, 0}
	_, e := callAgain(syscall.SYS_POLL, ptr(&p), 1, 0)
	t.Want("poll", e, syscall.Errno(0))
	return p.revents
}

const fifoHup = 0x10

// namedPipeIsNew: what nobody read goes with the last end.
func namedPipeIsNew(t *T) {
	dir, p := makeFifo(t)
	defer os.RemoveAll(dir)
	r := open(t, p, syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	w := open(t, p, syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
	syscall.Write(w, fill(10000, 1))
	syscall.Close(w)
	b := make([]byte, 100)
	n, _ := syscall.Read(r, b)
	t.Want("some is read", n, 100)
	syscall.Close(r)
	r = open(t, p, syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	defer syscall.Close(r)
	t.Want("poll", polled(t, r), int16(0))
	n, err := syscall.Read(r, b)
	t.Want("the rest is gone", n == 0 && err == nil, true)
	w = open(t, p, syscall.O_WRONLY, 0)
	defer syscall.Close(w)
	syscall.Write(w, []byte("new"))
	n, _ = syscall.Read(r, b)
	t.Want("read", string(b[:max(n, 0)]), "new")
}

// namedPipeHangsUp: on those only that have seen a writer.
func namedPipeHangsUp(t *T) {
	dir, p := makeFifo(t)
	defer os.RemoveAll(dir)
	one := open(t, p, syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	defer syscall.Close(one)
	t.Want("nobody yet", polled(t, one), int16(0))
	w := open(t, p, syscall.O_WRONLY, 0)
	t.Want("a writer", polled(t, one), int16(0))
	syscall.Close(w)
	t.Want("it went", polled(t, one), int16(fifoHup))
	two := open(t, p, syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	defer syscall.Close(two)
	t.Want("who came later", polled(t, two), int16(0))
	w = open(t, p, syscall.O_WRONLY, 0)
	t.Want("another writer", polled(t, one)|polled(t, two), int16(0))
	syscall.Close(w)
	t.Want("for both", polled(t, one)&polled(t, two), int16(fifoHup))
}

func namedPipeIsAFile(t *T) {
	dir, p := makeFifo(t)
	defer os.RemoveAll(dir)
	rw := open(t, p, syscall.O_RDWR, 0)
	defer syscall.Close(rw)
	watch := newWatcher(t)
	defer watch.close()
	watch.add("p", p, syscall.IN_ALL_EVENTS)
	before := stat(t, p)
	time.Sleep(20 * time.Millisecond)
	syscall.Write(rw, []byte("abc"))
	watch.want("write", "p:modify")
	t.Want("mtime", stat(t, p).Mtim != before.Mtim, true)
	syscall.Read(rw, make([]byte, 3))
	watch.want("read", "p:access")
	t.Want("size", stat(t, p).Size, int64(0))
}
