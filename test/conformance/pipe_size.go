package main

import (
	"bytes"
	"os"
	"syscall"
	"time"
)

const setPipeSize, getPipeSize = 1031, 1032

// A pipe is resized into which a writer put less than it had begun to: what it wrote stays.
var pipeSizeChecks = []check{
	{"pipe-size-after-fault", pipeSizeAfterFault},
	{"pipe-size-after-short-splice", pipeSizeAfterShortSplice},
	{"pipe-size-while-used", pipeSizeWhileUsed},
}

func wantResized(t *T, r, w int, want []byte) {
	for _, size := range []uintptr{1 << 17, 1 << 13, 1 << 16} {
		n, e := call(syscall.SYS_FCNTL, uintptr(w), setPipeSize, size)
		t.Want("new size", n, size)
		t.Want("new size", e, syscall.Errno(0))
	}
	b := make([]byte, len(want)+100)
	n, err := syscall.Read(r, b)
	t.Want("read", errnoOf(err), syscall.Errno(0))
	t.Want("bytes", n == len(want) && bytes.Equal(b[:n], want), true)
	_, err = syscall.Read(r, b)
	t.Want("read again", errnoOf(err), syscall.EAGAIN)
}

func pipeSizeAfterFault(t *T) {
	r, w := pipe(t, syscall.O_NONBLOCK)
	defer syscall.Close(r)
	defer syscall.Close(w)
	a := mapPages(t, 2, rw)
	defer unmap(t, a, 2)
	if _, e := call(syscall.SYS_MPROTECT, a+page, page, 0); e != 0 {
		t.Fatalf("mprotect: %v", e)
	}
	n, e := call(syscall.SYS_WRITE, uintptr(w), a, 2*page)
	t.Want("write over the edge", n, uintptr(page))
	t.Want("write over the edge", e, syscall.Errno(0))
	wantResized(t, r, w, make([]byte, page))
}

func pipeSizeAfterShortSplice(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	data := fill(page, 5)
	t.Must("WriteFile", os.WriteFile(dir+"/f", data, 0o600))
	fd := open(t, dir+"/f", syscall.O_RDONLY, 0)
	defer syscall.Close(fd)
	r, w := pipe(t, syscall.O_NONBLOCK)
	defer syscall.Close(r)
	defer syscall.Close(w)
	n, e := splice(fd, nil, w, nil, 1<<16, 0)
	t.Want("splice", n == page && e == 0, true)
	wantResized(t, r, w, data)
}

// pipeSizeWhileUsed: who resizes waits for who copies, and is not told that the pipe is busy.
func pipeSizeWhileUsed(t *T) {
	r, w := pipe(t, 0)
	defer syscall.Close(r)
	ended := make(chan int)
	go func() {
		sum, b := 0, make([]byte, 20000)
		for {
			n, err := syscall.Read(r, b)
			if n <= 0 || err != nil {
				ended <- sum
				return
			}
			sum += n
		}
	}()
	go func() {
		data := fill(20000, 3)
		for i := 0; i < 300; i++ {
			for left := data; len(left) > 0; {
				n, err := syscall.Write(w, left)
				if err == nil {
					left = left[n:]
				}
			}
		}
		syscall.Close(w)
	}()
	for i := 0; ; i++ {
		select {
		case sum := <-ended:
			t.Want("bytes", sum, 300*20000)
			return
		case <-time.After(100 * time.Microsecond):
		}
		size := uintptr(1) << (16 + i%3)
		_, e := callAgain(syscall.SYS_FCNTL, uintptr(r), setPipeSize, size)
		if e != 0 && !(e == syscall.EBUSY && i%3 != 2) {
			t.Errorf("new size %d: %v", size, e)
		}
	}
}
