package main

import (
	"fmt"
	"os/signal"
	"syscall"
)

func pipe(flags int) (r, w int) {
	var fds [2]int32
	done("pipe2", call(syscall.SYS_PIPE2, ptr(&fds), uintptr(flags)))
	return int(fds[0]), int(fds[1])
}

func pipes() {
	signal.Ignore(syscall.SIGPIPE)
	r, w := pipe(syscall.O_NONBLOCK | syscall.O_CLOEXEC)
	b := make([]byte, 100)
	show("empty", read(r, b))
	show("write", write(w, "abcdef"))
	show("short read", read(r, b[:4]))
	show("rest", read(r, b))
	show("read the writer", read(w, b))
	show("write the reader", write(r, "x"))
	show("lseek", call(syscall.SYS_LSEEK, uintptr(r), 0, 0))
	show("pread", call(syscall.SYS_PREAD64, uintptr(r), ptr(&b[0]), 1, 0))
	show("flags", fcntl(r, syscall.F_GETFL, 0))
	show("flags of the writer", fcntl(w, syscall.F_GETFL, 0))
	show("cloexec", fcntl(w, syscall.F_GETFD, 0))

	chunk := make([]byte, 4096)
	total := 0
	for {
		n := call(syscall.SYS_WRITE, uintptr(w), ptr(&chunk[0]), uintptr(len(chunk)))
		if n < 0 {
			show("full", n)
			break
		}
		total += n
	}
	show("capacity", total)
	show("read one page", read(r, chunk))
	show("write one page", call(syscall.SYS_WRITE, uintptr(w), ptr(&chunk[0]), uintptr(len(chunk))))
	for total > 0 {
		total -= read(r, chunk)
	}
	show("close the writer", closeFd(w))
	show("end", read(r, b))
	show("close the reader", closeFd(r))

	r, w = pipe(0)
	show("close the reader", closeFd(r))
	show("broken", write(w, "x"))
	show("close the writer", closeFd(w))
	show("bad flags", call(syscall.SYS_PIPE2, ptr(&b[0]), 1))
	show("to nowhere", call(syscall.SYS_PIPE2, badPointer, 0))
	vectors(b)
}

func vectors(b []byte) {
	r, w := pipe(syscall.O_NONBLOCK)
	text := []byte("onetwothree")
	iov := []syscall.Iovec{{Base: &text[0], Len: 3}, {}, {Base: &text[3], Len: 3}, {Base: &text[6], Len: 5}}
	show("writev", call(syscall.SYS_WRITEV, uintptr(w), ptr(&iov[0]), 4))
	show("read", read(r, b))
	fmt.Printf("%q\n", b[:11])
	show("writev nothing", call(syscall.SYS_WRITEV, uintptr(w), ptr(&iov[0]), 0))
	show("writev too many", call(syscall.SYS_WRITEV, uintptr(w), ptr(&iov[0]), 1025))
	show("writev from nowhere", call(syscall.SYS_WRITEV, uintptr(w), badPointer, 1))
	show("write", write(w, "abcdef"))
	iov = []syscall.Iovec{{Base: &text[0], Len: 2}, {Base: &text[5], Len: 6}}
	show("readv", call(syscall.SYS_READV, uintptr(r), ptr(&iov[0]), 2))
	fmt.Printf("%q\n", text)
	show("close", closeFd(r)+closeFd(w))
}
