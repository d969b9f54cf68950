package main

import (
	"os"
	"syscall"
	"unsafe"
)

// A bad pointer to every system call that takes one: EFAULT, never a fault in the kernel, never
// success. In the machine the kernel shares the program's privilege level, so it must look itself.
var faultPointerChecks = []check{
	{"efault-everywhere", faultEfaultEverywhere},
}

// argument is a value, or a pointer that is put to the test: 'i' a structure read, 'o' a structure
// written, 's' a string, 'b' bytes read, 'w' bytes written, of which a part may do.
type argument struct {
	kind byte
	good uintptr // what it is while another one is tested
}

func val(v uintptr) argument { return argument{0, v} }

type pointerCall struct {
	name   string
	number uintptr
	args   []argument
}

// efaultPlace is what the calls work on.
type efaultPlace struct {
	file, dir, pipe, epoll, event, dgram, timerfd, inotify uintptr
	timer                                                  int32
	words                                                  []uint64 // zeroes
	capHeader                                              capHeader
	path, link, missing                                    []byte
	readOnly, end                                          uintptr // a page; the last byte before no access
}

func (p *efaultPlace) zeroes() uintptr { return uintptr(unsafe.Pointer(&p.words[0])) }

func newEfaultPlace(t *T) (p *efaultPlace, done func()) {
	p = &efaultPlace{capHeader: capHeader{version: capVersion3}, words: make([]uint64, 1024), path: []byte("/proc\x00"), link: []byte("/proc/self\x00"), missing: []byte("/missing\x00")}
	dir, err := os.MkdirTemp("", "efault")
	t.Must("MkdirTemp", err)
	f, err := os.Create(dir + "/file")
	t.Must("Create", err)
	f.Write(make([]byte, 8192))
	f.Seek(0, 0)
	d, err := os.Open(dir)
	t.Must("Open", err)
	var pipe, pair [2]int
	t.Must("Pipe", syscall.Pipe(pipe[:]))
	syscall.Write(pipe[1], []byte("data"))
	pair, err = syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	t.Must("Socketpair", err)
	for i := 0; i < 8; i++ {
		syscall.Write(pair[1], []byte("datagram"))
	}
	p.file, p.dir, p.pipe, p.dgram = f.Fd(), d.Fd(), uintptr(pipe[0]), uintptr(pair[0])
	epoll, err := syscall.EpollCreate1(0)
	t.Must("EpollCreate1", err)
	p.epoll = uintptr(epoll)
	p.event, _ = call(syscall.SYS_EVENTFD2, 1, 0)
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN}
	t.Must("EpollCtl", syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, int(p.event), &ev))
	p.timerfd, _ = call(syscall.SYS_TIMERFD_CREATE, 1, 0)
	p.inotify, _ = call(syscall.SYS_INOTIFY_INIT1, 0)
	_, e := call(syscall.SYS_TIMER_CREATE, 1, 0, ptr(&p.timer))
	t.Want("timer_create", e, syscall.Errno(0))
	p.readOnly = mapPages(t, 1, syscall.PROT_READ)
	two := mapPages(t, 2, rw)
	bytesAt(two, page)[page-1] = 'x'
	call(syscall.SYS_MPROTECT, two+page, page, 0)
	p.end = two + page - 1
	return p, func() {
		for _, fd := range []uintptr{p.pipe, uintptr(pipe[1]), p.dgram, uintptr(pair[1]), p.epoll, p.event, p.timerfd, p.inotify} {
			syscall.Close(int(fd))
		}
		f.Close()
		d.Close()
		os.RemoveAll(dir)
		call(syscall.SYS_TIMER_DELETE, uintptr(p.timer))
		unmap(t, p.readOnly, 1)
		unmap(t, two, 2)
	}
}

// badPointers for an argument of that kind: with what they are.
func (p *efaultPlace) badPointers(kind byte) map[string]uintptr {
	bad := map[string]uintptr{
		"unmapped":                badPointer,
		"not canonical":           notCanonical,
		"just beyond":             0x800000000000,
		"Linux's direct map":      0xffff888000001000,
		"Linux's text":            0xffffffff81000000,
		"the last page":           0xfffffffffffff000,
		"in front of the program": 0x200000,
		"there, 100 KiB on":       0x200000 + 100<<10,
		"page 0":                  8,
	}
	if kind != 'b' && kind != 'w' {
		bad["the end of a page"] = p.end
	}
	if kind == 'o' || kind == 'w' {
		bad["read-only"] = p.readOnly
	}
	return bad
}

func (p *efaultPlace) calls() []pointerCall {
	z := p.zeroes()
	in, out, str := argument{'i', z}, argument{'o', z + 4096}, argument{'s', uintptr(unsafe.Pointer(&p.missing[0]))}
	dir, link := argument{'s', uintptr(unsafe.Pointer(&p.path[0]))}, argument{'s', uintptr(unsafe.Pointer(&p.link[0]))}
	bytesIn, bytesOut := argument{'b', z}, argument{'w', z + 4096}
	none := func(kind byte) argument { return argument{kind, 0} }
	fd, cwd := val(p.file), val(^uintptr(99))
	self := val(uintptr(os.Getpid()))
	return []pointerCall{
		{"read", 0, []argument{fd, bytesOut, val(64)}}, {"write", 1, []argument{fd, bytesIn, val(64)}},
		{"open", 2, []argument{str, val(0)}}, {"stat", 4, []argument{dir, out}},
		{"fstat", 5, []argument{fd, out}}, {"lstat", 6, []argument{dir, out}},
		{"poll", 7, []argument{in, val(1), val(0)}},
		{"rt_sigaction", 13, []argument{val(12), none('i'), out, val(8)}},
		{"rt_sigprocmask", 14, []argument{val(0), in, out, val(8)}},
		{"ioctl FIONREAD", 16, []argument{val(p.pipe), val(0x541b), out}},
		{"pread64", 17, []argument{fd, bytesOut, val(64), val(0)}}, {"pwrite64", 18, []argument{fd, bytesIn, val(64), val(0)}},
		{"readv", 19, []argument{fd, in, val(1)}}, {"writev", 20, []argument{fd, in, val(1)}},
		{"access", 21, []argument{str, val(0)}}, {"pipe", 22, []argument{out}},
		{"select", 23, []argument{val(1), none('i'), none('i'), none('i'), in}},
		{"nanosleep", 35, []argument{in, val(0)}}, {"getitimer", 36, []argument{val(0), out}},
		{"setitimer", 38, []argument{val(0), in, out}}, {"sendfile", 40, []argument{fd, fd, in, val(4)}},
		{"connect", 42, []argument{val(p.dgram), in, val(16)}},
		{"sendto", 44, []argument{val(p.dgram), bytesIn, val(8), val(0x40), val(0), val(0)}},
		{"recvfrom", 45, []argument{val(p.dgram), bytesOut, val(8), val(0x42), val(0), val(0)}},
		{"sendmsg", 46, []argument{val(p.dgram), in, val(0x40)}}, {"recvmsg", 47, []argument{val(p.dgram), in, val(0x42)}},
		{"bind", 49, []argument{val(p.dgram), in, val(16)}},
		{"getsockname", 51, []argument{val(p.dgram), val(z), argument{'o', z}}},
		{"getpeername", 52, []argument{val(p.dgram), val(z), argument{'o', z}}},
		{"socketpair", 53, []argument{val(1), val(1), val(0), out}},
		{"setsockopt", 54, []argument{val(p.dgram), val(1), val(8), in, val(4)}},
		{"uname", 63, []argument{out}}, {"fcntl F_GETLK", 72, []argument{fd, val(5), in}},
		{"truncate", 76, []argument{str, val(0)}}, {"getcwd", 79, []argument{out, val(4096)}},
		{"chdir", 80, []argument{str}}, {"rename", 82, []argument{str, str}}, {"mkdir", 83, []argument{str, val(0)}},
		{"rmdir", 84, []argument{str}}, {"creat", 85, []argument{none('s'), val(0)}}, {"link", 86, []argument{dir, str}},
		{"unlink", 87, []argument{str}}, {"symlink", 88, []argument{str, none('s')}},
		{"readlink", 89, []argument{link, bytesOut, val(64)}}, {"chmod", 90, []argument{str, val(0)}},
		{"chown", 92, []argument{str, val(0), val(0)}}, {"lchown", 94, []argument{str, val(0), val(0)}},
		{"gettimeofday", 96, []argument{out, out}}, {"getrlimit", 97, []argument{val(7), out}},
		{"getrusage", 98, []argument{val(0), out}}, {"sysinfo", 99, []argument{out}}, {"times", 100, []argument{out}},
		{"getresuid", 118, []argument{out, out, out}}, {"getresgid", 120, []argument{out, out, out}},
		{"capget", 125, []argument{argument{'i', ptr(&p.capHeader)}, none('o')}}, {"capset", 126, []argument{in, val(0)}},
		{"rt_sigpending", 127, []argument{out, val(8)}},
		{"rt_sigtimedwait", 128, []argument{in, val(0), in, val(8)}},
		{"rt_sigqueueinfo", 129, []argument{self, val(0), in}}, {"rt_sigsuspend", 130, []argument{none('i'), val(8)}},
		{"sigaltstack", 131, []argument{none('i'), out}}, {"mknod", 133, []argument{none('s'), val(0x8000), val(0)}},
		{"statfs", 137, []argument{dir, out}}, {"fstatfs", 138, []argument{fd, out}},
		{"sched_getparam", 143, []argument{val(0), out}}, {"sched_setscheduler", 144, []argument{val(0), val(0), in}},
		{"prctl PR_SET_NAME", 157, []argument{val(15), none('s')}}, {"prctl PR_GET_NAME", 157, []argument{val(16), out}},
		{"arch_prctl ARCH_GET_FS", 158, []argument{val(0x1003), out}}, {"setrlimit", 160, []argument{val(7), none('i')}},
		{"time", 201, []argument{out}}, {"sched_setaffinity", 203, []argument{val(0), val(8), none('i')}},
		{"sched_getaffinity", 204, []argument{val(0), val(1024), out}},
		{"getdents64", 217, []argument{val(p.dir), out, val(1024)}},
		{"timer_create", 222, []argument{val(1), none('i'), out}},
		{"timer_settime", 223, []argument{val(uintptr(p.timer)), val(0), in, out}},
		{"timer_gettime", 224, []argument{val(uintptr(p.timer)), out}},
		{"clock_settime", 227, []argument{val(0), none('i')}}, {"clock_gettime", 228, []argument{val(1), out}},
		{"clock_getres", 229, []argument{val(1), out}}, {"clock_nanosleep", 230, []argument{val(1), val(0), in, val(0)}},
		{"epoll_wait", 232, []argument{val(p.epoll), out, val(1), val(0)}},
		{"epoll_ctl", 233, []argument{val(p.epoll), val(1), val(p.pipe), none('i')}},
		{"inotify_add_watch", 254, []argument{val(p.inotify), str, val(2)}},
		{"openat", 257, []argument{cwd, str, val(0)}}, {"mkdirat", 258, []argument{cwd, none('s'), val(0)}},
		{"mknodat", 259, []argument{cwd, none('s'), val(0x8000), val(0)}},
		{"fchownat", 260, []argument{cwd, str, val(0), val(0), val(0)}},
		{"newfstatat", 262, []argument{cwd, dir, out, val(0)}}, {"unlinkat", 263, []argument{cwd, str, val(0)}},
		{"renameat", 264, []argument{cwd, str, cwd, str}}, {"linkat", 265, []argument{cwd, dir, cwd, str, val(0)}},
		{"symlinkat", 266, []argument{str, cwd, none('s')}}, {"readlinkat", 267, []argument{cwd, link, bytesOut, val(64)}},
		{"fchmodat", 268, []argument{cwd, str, val(0)}}, {"faccessat", 269, []argument{cwd, str, val(0)}},
		{"pselect6", 270, []argument{val(1), none('i'), none('i'), none('i'), in, none('i')}},
		{"ppoll", 271, []argument{in, val(1), in, none('i'), val(8)}},
		{"get_robust_list", 274, []argument{val(0), out, out}}, {"utimensat", 280, []argument{cwd, str, in, val(0)}},
		{"epoll_pwait", 281, []argument{val(p.epoll), out, val(1), val(0), none('i'), val(8)}},
		{"timerfd_settime", 286, []argument{val(p.timerfd), val(0), in, out}},
		{"timerfd_gettime", 287, []argument{val(p.timerfd), out}}, {"pipe2", 293, []argument{out, val(0)}},
		{"preadv", 295, []argument{fd, in, val(1), val(0)}}, {"pwritev", 296, []argument{fd, in, val(1), val(0)}},
		{"rt_tgsigqueueinfo", 297, []argument{self, self, val(0), in}},
		{"prlimit64", 302, []argument{val(0), val(7), none('i'), out}}, {"getcpu", 309, []argument{out, out, val(0)}},
		{"renameat2", 316, []argument{cwd, str, cwd, str, val(0)}}, {"getrandom", 318, []argument{bytesOut, val(64), val(0)}},
		{"memfd_create", 319, []argument{none('s'), val(0)}},
		{"copy_file_range", 326, []argument{fd, in, fd, in, val(4), val(0)}},
		{"preadv2", 327, []argument{fd, in, val(1), val(0), val(0), val(0)}},
		{"pwritev2", 328, []argument{fd, in, val(1), val(0), val(0), val(0)}},
		{"statx", 332, []argument{cwd, dir, val(0), val(0x7ff), out}},
		{"faccessat2", 439, []argument{cwd, str, val(0), val(0)}},
		{"epoll_pwait2", 441, []argument{val(p.epoll), out, val(1), in, none('i'), val(8)}},
		{"fchmodat2", 452, []argument{cwd, str, val(0), val(0)}},
	}
}

func faultEfaultEverywhere(t *T) {
	p, done := newEfaultPlace(t)
	defer done()
	for _, c := range p.calls() {
		for i, a := range c.args {
			if a.kind == 0 {
				continue
			}
			for what, bad := range p.badPointers(a.kind) {
				for j := range p.words {
					p.words[j] = 0
				}
				var args [6]uintptr
				for j := range c.args {
					args[j] = c.args[j].good
				}
				args[i] = bad
				*at(p.end) = 'x' // not the end of a string
				r, e := call(c.number, args[:]...)
				if e != syscall.EFAULT {
					t.Errorf("%s, argument %d %s: %d, %v", c.name, i+1, what, r, e)
				}
			}
		}
	}
}
