package main

import (
	"fmt"
	"os"
	"syscall"
)

func open(name string, flags int) int {
	return call(syscall.SYS_OPENAT, atFdcwd, path(name), uintptr(flags), 0o600)
}

func closeFd(fd int) int { return call(syscall.SYS_CLOSE, uintptr(fd)) }

func fcntl(fd, cmd, arg int) int {
	return call(syscall.SYS_FCNTL, uintptr(fd), uintptr(cmd), uintptr(arg))
}

func read(fd int, b []byte) int {
	return call(syscall.SYS_READ, uintptr(fd), ptr(&b[0]), uintptr(len(b)))
}

func write(fd int, s string) int {
	b := []byte(s)
	return call(syscall.SYS_WRITE, uintptr(fd), ptr(&b[0]), uintptr(len(b)))
}

func files() {
	dir, err := os.MkdirTemp("/tmp", "abi")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := os.Chdir(dir); err != nil {
		fmt.Println(err)
		return
	}
	badDescriptors()
	openModes()
	offsets()
	directories()
	names()
}

func badDescriptors() {
	b := make([]byte, 8)
	for _, fd := range []int{-1, 999, 1 << 20} {
		show(fmt.Sprint("read ", fd), read(fd, b))
		show(fmt.Sprint("write ", fd), write(fd, "x"))
		show(fmt.Sprint("close ", fd), closeFd(fd))
		show(fmt.Sprint("fcntl ", fd), fcntl(fd, syscall.F_GETFL, 0))
		show(fmt.Sprint("lseek ", fd), call(syscall.SYS_LSEEK, uintptr(fd), 0, 0))
	}
	fd := open("x", os.O_CREATE|os.O_RDWR)
	show("fill", write(fd, "content"))
	show("read to nowhere", call(syscall.SYS_PREAD64, uintptr(fd), badPointer, 4, 0))
	show("write from nowhere", call(syscall.SYS_WRITE, uintptr(fd), badPointer, 4))
	show("fstat to nowhere", call(syscall.SYS_FSTAT, uintptr(fd), badPointer))
	show("open nowhere", call(syscall.SYS_OPENAT, atFdcwd, badPointer, 0, 0))
	show("read nothing", call(syscall.SYS_READ, uintptr(fd), badPointer, 0))
	show("close", closeFd(fd))
	show("close again", closeFd(fd))
	again := open("x", os.O_RDONLY)
	fact("lowest free fd", again == fd)
	show("write read-only", write(again, "x"))
	second := call(syscall.SYS_DUP, uintptr(again))
	show("dup is next", second-again)
	show("dup3 onto itself", call(syscall.SYS_DUP3, uintptr(again), uintptr(again), 0))
	show("dup3 far", call(syscall.SYS_DUP3, uintptr(again), 200, syscall.O_CLOEXEC))
	show("cloexec", fcntl(200, syscall.F_GETFD, 0))
	show("dupfd from 100", fcntl(again, syscall.F_DUPFD_CLOEXEC, 100))
	for _, fd := range []int{again, second, 200, 100} {
		show("close", closeFd(fd))
	}
}

func openModes() {
	show("missing", open("missing", os.O_RDONLY))
	show("directory of a file", open("x", syscall.O_DIRECTORY))
	show("write a directory", open(".", os.O_WRONLY))
	show("below a file", open("x/y", os.O_RDONLY))
	show("exclusive", open("x", os.O_CREATE|os.O_EXCL|os.O_RDWR))
	show("empty name", open("", os.O_RDONLY))
	long := make([]byte, 5000)
	for i := range long {
		long[i] = 'a'
	}
	show("long name", open(string(long[:300]), os.O_RDONLY))
	show("long path", open(string(long), os.O_RDONLY))
	for _, mode := range []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_APPEND,
		os.O_RDWR | syscall.O_NONBLOCK, os.O_RDONLY | syscall.O_CLOEXEC} {
		fd := open("x", mode)
		show(fmt.Sprintf("flags of %#o", mode), fcntl(fd, syscall.F_GETFL, 0)&^0o100000)
		closeFd(fd)
	}
	fd := open("x", os.O_RDWR)
	show("set nonblock", fcntl(fd, syscall.F_SETFL, syscall.O_NONBLOCK))
	show("flags", fcntl(fd, syscall.F_GETFL, 0)&^0o100000)
	show("read nonblock", read(fd, make([]byte, 100)))
	show("and its end", read(fd, make([]byte, 100)))
	show("unknown fcntl", fcntl(fd, 9999, 0))
	show("unknown ioctl", call(syscall.SYS_IOCTL, uintptr(fd), 0x5401, badPointer))
	closeFd(fd)
}

func offsets() {
	fd := open("y", os.O_CREATE|os.O_RDWR)
	show("write", write(fd, "0123456789"))
	for _, c := range []struct{ off, whence int }{{3, 0}, {2, 1}, {-1, 2}, {100, 0}, {-1, 0}, {0, 9}} {
		show(fmt.Sprint("lseek ", c), call(syscall.SYS_LSEEK, uintptr(fd), uintptr(c.off), uintptr(c.whence)))
	}
	b := make([]byte, 20)
	show("read behind the end", read(fd, b))
	show("write there", write(fd, "z"))
	show("hole", call(syscall.SYS_PREAD64, uintptr(fd), ptr(&b[0]), 5, 50))
	fmt.Println("zeros", b[:5])
	show("pread", call(syscall.SYS_PREAD64, uintptr(fd), ptr(&b[0]), 4, 8))
	fmt.Printf("%q\n", b[:4])
	show("pread behind", call(syscall.SYS_PREAD64, uintptr(fd), ptr(&b[0]), 4, 1000))
	negative := -1
	show("pread negative", call(syscall.SYS_PREAD64, uintptr(fd), ptr(&b[0]), 4, uintptr(negative)))
	show("pwrite", call(syscall.SYS_PWRITE64, uintptr(fd), ptr(&b[0]), 4, 200))
	show("shrink", call(syscall.SYS_FTRUNCATE, uintptr(fd), 6))
	show("grow", call(syscall.SYS_FTRUNCATE, uintptr(fd), 12))
	show("pread", call(syscall.SYS_PREAD64, uintptr(fd), ptr(&b[0]), 20, 0))
	fmt.Printf("%q\n", b[:12])
	show("shrink below zero", call(syscall.SYS_FTRUNCATE, uintptr(fd), uintptr(negative)))
	show("sync", call(syscall.SYS_FSYNC, uintptr(fd)))
	var st syscall.Stat_t
	show("fstat", call(syscall.SYS_FSTAT, uintptr(fd), ptr(&st)))
	fmt.Printf("mode %#o size %d links %d\n", st.Mode, st.Size, st.Nlink)
	show("unlink", call(syscall.SYS_UNLINKAT, atFdcwd, path("y"), 0))
	show("fstat", call(syscall.SYS_FSTAT, uintptr(fd), ptr(&st)))
	fmt.Println("links", st.Nlink)
	closeFd(fd)
}

func directories() {
	show("mkdir", call(syscall.SYS_MKDIRAT, atFdcwd, path("d"), 0o700))
	show("mkdir again", call(syscall.SYS_MKDIRAT, atFdcwd, path("d"), 0o700))
	show("mkdir deep", call(syscall.SYS_MKDIRAT, atFdcwd, path("no/d"), 0o700))
	d := open("d", syscall.O_DIRECTORY)
	b := make([]byte, 1024)
	show("read a directory", read(d, b))
	fact("list", call(syscall.SYS_GETDENTS64, uintptr(d), ptr(&b[0]), 1024) > 0)
	show("list ends", call(syscall.SYS_GETDENTS64, uintptr(d), ptr(&b[0]), 1024))
	show("rewind", call(syscall.SYS_LSEEK, uintptr(d), 0, 0))
	show("too small", call(syscall.SYS_GETDENTS64, uintptr(d), ptr(&b[0]), 8))
	show("list a file", call(syscall.SYS_GETDENTS64, uintptr(open("x", 0)), ptr(&b[0]), 1024))
	show("unlink a directory", call(syscall.SYS_UNLINKAT, atFdcwd, path("d"), 0))
	const removeDir = 0x200
	show("rmdir a file", call(syscall.SYS_UNLINKAT, atFdcwd, path("x"), removeDir))
	show("create below", done("openat", call(syscall.SYS_OPENAT, uintptr(d), path("f"), uintptr(os.O_CREATE|os.O_RDWR), 0o600))*0)
	show("rmdir full", call(syscall.SYS_UNLINKAT, atFdcwd, path("d"), removeDir))
	show("unlink below", call(syscall.SYS_UNLINKAT, uintptr(d), path("f"), 0))
	show("rmdir", call(syscall.SYS_UNLINKAT, atFdcwd, path("d"), removeDir))
	show("fsync a directory", call(syscall.SYS_FSYNC, uintptr(open(".", syscall.O_DIRECTORY))))
}

func names() {
	rename := func(from, to string) int {
		return call(syscall.SYS_RENAMEAT, atFdcwd, path(from), atFdcwd, path(to))
	}
	show("mkdir", call(syscall.SYS_MKDIRAT, atFdcwd, path("d"), 0o700))
	show("rename", rename("x", "z"))
	show("rename nothing", rename("x", "w"))
	show("rename onto a directory", rename("z", "d"))
	show("rename a directory onto a file", rename("d", "z"))
	show("rename into itself", rename("d", "d/e"))
	show("rename in place", rename("z", "z"))
	show("link", call(syscall.SYS_LINKAT, atFdcwd, path("z"), atFdcwd, path("hard"), 0))
	var st syscall.Stat_t
	show("stat", call(262, atFdcwd, path("hard"), ptr(&st), 0))
	fmt.Println("links", st.Nlink)
	show("symlink", call(syscall.SYS_SYMLINKAT, path("loop"), atFdcwd, path("loop")))
	show("open a loop", open("loop", os.O_RDONLY))
	show("open without following", open("loop", syscall.O_NOFOLLOW))
	b := make([]byte, 3)
	show("readlink, cut", call(syscall.SYS_READLINKAT, atFdcwd, path("loop"), ptr(&b[0]), 3))
	show("readlink of a file", call(syscall.SYS_READLINKAT, atFdcwd, path("z"), ptr(&b[0]), 3))
	show("getcwd, small", call(syscall.SYS_GETCWD, ptr(&b[0]), 2))
	show("access", call(syscall.SYS_FACCESSAT, atFdcwd, path("z"), 4))
	show("access nothing", call(syscall.SYS_FACCESSAT, atFdcwd, path("q"), 0))
	show("chmod", call(syscall.SYS_FCHMODAT, atFdcwd, path("z"), 0o640))
	show("stat", call(262, atFdcwd, path("z"), ptr(&st), 0))
	fmt.Printf("mode %#o\n", st.Mode)
}
