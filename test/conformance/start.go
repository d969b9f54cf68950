package main

import (
	"encoding/binary"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// Start: what the program finds when it begins.
var startChecks = []check{
	{"auxv", startAuxv},
	{"random-bytes", startRandomBytes},
	{"vdso-image", startVDSOImage},
	{"program-headers", startProgramHeaders},
	{"arguments-and-environment", startArguments},
	{"standard-descriptors", startStandardDescriptors},
	{"control-words", startControlWords},
	{"vector-state-enabled", startVectorState},
	{"time-stamp-counter", startTimeStampCounter},
	{"flags", startFlags},
	{"uname", startUname},
	{"identity", startIdentity},
	{"cpus", startCPUs},
	{"limits", startLimits},
	{"limits-change", asRoot(startLimitsChange)},
	{"stack-is-large", startStackIsLarge},
	{"bss-is-zero", startBssIsZero},
	{"fresh-memory-is-zero", startFreshMemoryIsZero},
	{"break", startBreak},
	{"probes-of-the-runtime", startProbes},
	{"getrandom", startGetrandom},
}

func auxv(t *T) map[uint64]uint64 {
	text, err := os.ReadFile("/proc/self/auxv")
	t.Must("auxv", err)
	v := map[uint64]uint64{}
	for ; len(text) >= 16; text = text[16:] {
		tag := binary.LittleEndian.Uint64(text)
		if tag == 0 {
			return v
		}
		v[tag] = binary.LittleEndian.Uint64(text[8:])
	}
	t.Errorf("the auxiliary vector has no end")
	return v
}

const (
	atPhdr, atPhent, atPhnum, atPagesz, atEntry = 3, 4, 5, 6, 9
	atUID, atEUID, atGID, atEGID                = 11, 12, 13, 14
	atPlatform, atHwcap, atClktck, atSecure     = 15, 16, 17, 23
	atRandom, atExecfn, atSysinfo, atMinsig     = 25, 31, 33, 51
)

func textAt(addr uint64) string {
	b := unsafe.Slice(at(uintptr(addr)), 4096)
	for i := range b {
		if b[i] == 0 {
			return string(b[:i])
		}
	}
	return ""
}

func startAuxv(t *T) {
	v := auxv(t)
	t.Want("AT_PAGESZ", v[atPagesz], uint64(4096))
	t.Want("AT_CLKTCK", v[atClktck], uint64(100))
	t.Want("AT_SECURE", v[atSecure], uint64(0))
	t.Want("AT_PHENT", v[atPhent], uint64(56))
	for tag, want := range map[uint64]int{atUID: os.Getuid(), atEUID: os.Geteuid(), atGID: os.Getgid(), atEGID: os.Getegid()} {
		t.Want("AT_UID and its kin", v[tag], uint64(want))
	}
	t.Want("AT_PLATFORM", textAt(v[atPlatform]), "x86_64")
	if textAt(v[atExecfn]) == "" {
		t.Errorf("no AT_EXECFN")
	}
	if v[atMinsig] < 1000 || v[atMinsig] > 32768 {
		t.Errorf("AT_MINSIGSTKSZ %d", v[atMinsig])
	}
	// Linux leaves out what it does not use: MTRRs, in some machines.
	_, _, _, edx := cpuid(t, 1, 0)
	const sse2 = 1 << 26
	if hwcap := uint32(v[atHwcap]); hwcap&^edx != 0 || hwcap&sse2 == 0 {
		t.Errorf("AT_HWCAP is %#x, CPUID.1:EDX %#x", hwcap, edx)
	}
}

// cpuid runs the instruction.
func cpuid(t *T, leaf, sub uint64) (a, b, c, d uint32) {
	_, out := attempt(t, []byte{0x0f, 0xa2}, probeRegisters{rAX: leaf, rCX: sub})
	return uint32(out[rAX]), uint32(out[rBX]), uint32(out[rCX]), uint32(out[rDX])
}

func startRandomBytes(t *T) {
	p := (*[2]uint64)(unsafe.Pointer(at(uintptr(auxv(t)[atRandom]))))
	old := *p
	p[0], p[1] = ^p[0], ^p[1] // Go writes them
	*p = old
}

func startVDSOImage(t *T) {
	base := auxv(t)[atSysinfo]
	if base == 0 || base%4096 != 0 {
		t.Fatalf("AT_SYSINFO_EHDR is %#x", base)
	}
	h := bytesAt(uintptr(base), 64)
	t.Want("magic", string(h[:6]), "\x7fELF\x02\x01")
	t.Want("type", binary.LittleEndian.Uint16(h[16:]), uint16(3)) // ET_DYN
	t.Want("machine", binary.LittleEndian.Uint16(h[18:]), uint16(62))
	phoff, phnum := binary.LittleEndian.Uint64(h[32:]), binary.LittleEndian.Uint16(h[56:])
	var load, dynamic bool
	for i := uint64(0); i < uint64(phnum); i++ {
		kind := binary.LittleEndian.Uint32(bytesAt(uintptr(base+phoff+56*i), 4))
		load = load || kind == 1
		dynamic = dynamic || kind == 2
	}
	t.Want("PT_LOAD and PT_DYNAMIC", load && dynamic, true)
}

func startProgramHeaders(t *T) {
	v := auxv(t)
	headers := bytesAt(uintptr(v[atPhdr]), uintptr(56*v[atPhnum]))
	found := false
	for i := uint64(0); i < v[atPhnum]; i++ {
		h := headers[56*i:]
		start, size := binary.LittleEndian.Uint64(h[16:]), binary.LittleEndian.Uint64(h[40:])
		executable := binary.LittleEndian.Uint32(h) == 1 && binary.LittleEndian.Uint32(h[4:])&1 != 0
		found = found || executable && v[atEntry] >= start && v[atEntry] < start+size
	}
	t.Want("the entry lies in an executable segment", found, true)
}

func startArguments(t *T) {
	if len(os.Args) == 0 || os.Args[0] == "" {
		t.Errorf("arguments: %q", os.Args)
	}
	for _, e := range os.Environ() {
		if !strings.Contains(e, "=") {
			t.Errorf("environment: %q", e)
		}
	}
	text, err := os.ReadFile("/proc/self/cmdline")
	t.Must("cmdline", err)
	t.Want("cmdline", string(text), strings.Join(os.Args, "\x00")+"\x00")
}

func startStandardDescriptors(t *T) {
	for fd := uintptr(0); fd < 3; fd++ {
		_, e := call(syscall.SYS_FCNTL, fd, 1 /* F_GETFD */)
		t.Want("F_GETFD", e, syscall.Errno(0))
		_, e = call(syscall.SYS_FCNTL, fd, 3 /* F_GETFL */)
		t.Want("F_GETFL", e, syscall.Errno(0))
	}
	_, e := call(syscall.SYS_FCNTL, 9999, 1)
	t.Want("no such descriptor", e, syscall.EBADF)
}

func startControlWords(t *T) {
	// push %rax; stmxcsr (%rsp); pop %rax; push %rcx; fnstcw (%rsp); pop %rcx
	_, out := attempt(t, []byte{0x50, 0x0f, 0xae, 0x1c, 0x24, 0x58, 0x51, 0xd9, 0x3c, 0x24, 0x59}, probeRegisters{})
	t.Want("MXCSR without its flags", uint32(out[rAX])&^0x3f, uint32(0x1f80))
	t.Want("FCW", uint16(out[rCX]), uint16(0x37f))
}

func startVectorState(t *T) {
	_, _, c, _ := cpuid(t, 1, 0)
	if c>>27&1 == 0 { // OSXSAVE
		return
	}
	_, out := attempt(t, []byte{0x0f, 0x01, 0xd0}, probeRegisters{}) // xgetbv
	t.Want("signals", probeHits, uint64(0))
	xcr0 := out[rAX]
	t.Want("x87 and SSE in XCR0", xcr0&3, uint64(3))
	if c>>28&1 == 1 { // the CPU has AVX, so the kernel saves it
		t.Want("AVX in XCR0", xcr0>>2&1, uint64(1))
	}
	if zmm := xcr0 >> 5 & 7; zmm != 0 && zmm != 7 {
		t.Errorf("AVX-512 in XCR0 by halves: %#x", xcr0)
	}
}

func startTimeStampCounter(t *T) {
	var last uint64
	for i := 0; i < 10; i++ {
		_, out := attempt(t, []byte{0x0f, 0x31}, probeRegisters{}) // rdtsc
		t.Want("signals", probeHits, uint64(0))
		now := out[rDX]<<32 | out[rAX]
		if now == last {
			t.Errorf("the counter stands still at %d", now)
		}
		last = now
	}
}

func startFlags(t *T) {
	_, out := attempt(t, []byte{0x9c, 0x58}, probeRegisters{}) // pushfq; pop %rax
	t.Want("IF set; TF, DF, IOPL, NT, AC clear", out[rAX]&0x47700, uint64(0x200))
}

func startUname(t *T) {
	var u syscall.Utsname
	t.Must("Uname", syscall.Uname(&u))
	field := func(f [65]int8) string {
		var b []byte
		for _, c := range f {
			if c == 0 {
				break
			}
			b = append(b, byte(c))
		}
		return string(b)
	}
	t.Want("system", field(u.Sysname), "Linux")
	t.Want("machine", field(u.Machine), "x86_64")
	if field(u.Nodename) == "" || field(u.Version) == "" {
		t.Errorf("no name or version")
	}
	parts := strings.SplitN(field(u.Release), ".", 3)
	major, err := strconv.Atoi(parts[0])
	if err != nil || len(parts) < 2 || major < 5 {
		t.Errorf("release %q", field(u.Release))
	}
}

func startIdentity(t *T) {
	pid := os.Getpid()
	if pid <= 0 || os.Getppid() < 0 {
		t.Errorf("process %d, parent %d", pid, os.Getppid())
	}
	t.Want("getpgid of itself", first(call(syscall.SYS_GETPGID, 0)), first(call(syscall.SYS_GETPGRP)))
	_, e := call(syscall.SYS_GETPGID, 1<<22)
	t.Want("getpgid of nobody", e, syscall.ESRCH)
}

func first(r uintptr, _ syscall.Errno) uintptr { return r }

func startCPUs(t *T) {
	if n := runtime.NumCPU(); n < 1 || runtime.GOMAXPROCS(0) < 1 {
		t.Errorf("%d CPUs, GOMAXPROCS %d", n, runtime.GOMAXPROCS(0))
	}
}

func startLimits(t *T) {
	var r syscall.Rlimit
	t.Must("RLIMIT_NOFILE", syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r))
	if r.Cur < 256 || r.Cur > r.Max {
		t.Errorf("RLIMIT_NOFILE %d of %d", r.Cur, r.Max)
	}
	t.Must("RLIMIT_STACK", syscall.Getrlimit(syscall.RLIMIT_STACK, &r))
	if r.Cur < 1<<20 {
		t.Errorf("RLIMIT_STACK %d", r.Cur)
	}
	_, e := call(syscall.SYS_GETRLIMIT, 16, ptr(&r))
	t.Want("no such limit", e, syscall.EINVAL)
	_, e = call(syscall.SYS_PRLIMIT64, 1<<22, 7, 0, ptr(&r))
	t.Want("nobody's limit", e, syscall.ESRCH)
	_, e = call(syscall.SYS_SETRLIMIT, 7, ptr(&[2]uint64{9, 8}))
	t.Want("more than the hard limit", e, syscall.EINVAL)
}

// startLimitsChange: what is set is told, hard limits fall for ever without CAP_SYS_RESOURCE.
func startLimitsChange(t *T) {
	const core = 4
	var old, got syscall.Rlimit // the limit of core dumps: that it stays low harms nobody
	t.Must("Getrlimit", syscall.Getrlimit(core, &old))
	lower := syscall.Rlimit{Cur: 0, Max: min(old.Max, 4096)}
	wantErr(t, "prlimit64", 0, syscall.SYS_PRLIMIT64, 0, core, ptr(&lower))
	t.Must("Getrlimit", syscall.Getrlimit(core, &got))
	t.Want("what was set", got, lower)
	raw(syscall.SYS_SETRESUID, 4711, 4711, 0)
	raise := syscall.Rlimit{Cur: lower.Max + 1, Max: lower.Max + 1}
	wantErr(t, "a hard limit raised", syscall.EPERM, syscall.SYS_PRLIMIT64, 0, core, ptr(&raise))
	soft := syscall.Rlimit{Cur: lower.Max, Max: lower.Max}
	wantErr(t, "a soft limit raised", 0, syscall.SYS_PRLIMIT64, 0, core, ptr(&soft))
	raw(syscall.SYS_SETRESUID, 0, 0, 0)
}

//go:noinline
func deep(n int) int {
	var pad [128]byte
	pad[n%128] = byte(n)
	if n == 0 {
		return 0
	}
	return deep(n-1) + int(pad[(n+1)%128])
}

func startStackIsLarge(t *T) { t.Want("deep recursion", deep(100000), 0) }

var untouched [64 << 10]byte

func startBssIsZero(t *T) {
	for i, b := range untouched {
		if b != 0 {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
}

func startFreshMemoryIsZero(t *T) {
	a := mapPages(t, 256, rw)
	defer unmap(t, a, 256)
	for i, b := range bytesAt(a, 256*page) {
		if b != 0 {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
}

func startBreak(t *T) {
	now, e := call(syscall.SYS_BRK, 0)
	t.Want("brk(0)", e, syscall.Errno(0))
	if now == 0 {
		t.Errorf("the break is 0")
	}
	again, _ := call(syscall.SYS_BRK, 1)
	t.Want("brk(1) changes nothing", again, now)
}

// startProbes: what the runtime asks and takes a certain way.
func startProbes(t *T) {
	_, e := call(syscall.SYS_PRCTL, 0x53564d41, 0, 0x1000, page, 0) // PR_SET_VMA of nothing
	if e != syscall.EINVAL && e != syscall.ENOMEM && e != 0 {
		t.Errorf("PR_SET_VMA: %v", e)
	}
	_, e = call(500)
	t.Want("no such call", e, syscall.ENOSYS)
	pid, e := call(1<<40 | syscall.SYS_GETPID)
	t.Want("the number's upper half does not count", e, syscall.Errno(0))
	t.Want("the number's upper half does not count", int(pid), os.Getpid())
	_, e = call(syscall.SYS_OPENAT, 0xffffff9c, ptr(&[]byte("/proc\x00")[0]), 0x90000 /* O_DIRECTORY, O_CLOEXEC */)
	t.Want("AT_FDCWD without its upper half", e, syscall.Errno(0))
	a, e := call(syscall.SYS_MMAP, 0, page, rw, private, 0xffffffff, 0)
	t.Want("descriptor -1 without its upper half", e, syscall.Errno(0))
	unmap(t, a, 1)
}

func startGetrandom(t *T) {
	var a, b [32]byte
	for _, flags := range []uintptr{0, 1, 2, 4} {
		r, e := call(318, ptr(&a), 32, flags)
		t.Want("getrandom", e, syscall.Errno(0))
		t.Want("getrandom", r, uintptr(32))
		t.Want("the same again", a == b, false)
		b = a
	}
	_, e := call(318, ptr(&a), 32, 8)
	t.Want("no such flag", e, syscall.EINVAL)
	_, e = call(318, ptr(&a), 32, 6)
	t.Want("flags that do not go together", e, syscall.EINVAL)
}
