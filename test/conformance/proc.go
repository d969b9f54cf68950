package main

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Proc: what /proc tells about the process and the machine, in the form that programs parse.
var procChecks = []check{
	{"exe-is-the-program", exeIsTheProgram},
	{"maps", procMaps},
	{"smaps", procSmaps},
	{"status", procStatus},
	{"stat", procStat},
	{"descriptors", procDescriptors},
	{"tasks", procTasks},
	{"arguments", procArguments},
	{"auxv", procAuxv},
	{"limits", procLimits},
	{"mounts", procMounts},
	{"cgroup", procCgroup},
	{"io", procIO},
	{"listing", procListing},
	{"names-before-and-after-listing", procNames},
	{"cpu", procCPU},
	{"memory", procMemory},
	{"uptime-and-load", procUptimeAndLoad},
	{"version-and-names", procVersionAndNames},
	{"numbers", procNumbers},
	{"random", procRandom},
	{"sockets", procSockets},
	{"reading-in-pieces", procReadingInPieces},
}

func lines(t *T, path string) []string {
	return strings.Split(strings.TrimSuffix(contents(t, path), "\n"), "\n")
}

// fields makes "Name:  value" lines a map.
func fields(t *T, path string) map[string]string {
	m := map[string]string{}
	for _, l := range lines(t, path) {
		k, v, _ := strings.Cut(l, ":")
		m[strings.TrimSpace(k)] = strings.TrimSpace(v)
	}
	return m
}

func number(t *T, what, s string) int64 {
	s, _, _ = strings.Cut(strings.TrimSpace(s), " ")
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Errorf("%s: %q is not a number", what, s)
	}
	return n
}

func exeIsTheProgram(t *T) {
	name, err := os.Executable()
	t.Must("os.Executable", err)
	t.Want("absolute", filepath.IsAbs(name), true)
	link, err := os.Readlink("/proc/self/exe")
	t.Must("readlink", err)
	t.Want("link", link, name)
	for _, path := range []string{"/proc/self/exe", name} {
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			t.Errorf("build information: %v", err)
			continue
		}
		own, _ := debug.ReadBuildInfo()
		t.Want("Go version", info.GoVersion, runtime.Version())
		t.Want("main package", info.Path, own.Path)
	}
	f, err := elf.Open("/proc/self/exe")
	t.Must("elf.Open", err)
	defer f.Close()
	t.Want("machine", f.Machine, elf.EM_X86_64)
	t.Want("type", f.Type, elf.ET_EXEC)
	pc := uint64(reflect.ValueOf(exeIsTheProgram).Pointer())
	found := false
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && pc >= p.Vaddr && pc < p.Vaddr+p.Filesz {
			b := make([]byte, 64)
			_, err := p.ReadAt(b, int64(pc-p.Vaddr))
			t.Must("read", err)
			t.Want("code in the file", bytes.Equal(b, bytesAt(uintptr(pc), 64)), true)
			found = true
		}
	}
	t.Want("a segment of code", found, true)
	st, err := os.Stat("/proc/self/exe")
	t.Must("stat", err)
	t.Want("executable", st.Mode().IsRegular() && st.Mode()&0o111 != 0 && st.Size() > 4096, true)
}

type region struct {
	start, end, offset uint64
	rights, path       string
}

func regions(t *T, path string) (all []region) {
	for _, l := range lines(t, path) {
		var r region
		var dev string
		var ino uint64
		if n, _ := fmt.Sscanf(l, "%x-%x %s %x %s %d", &r.start, &r.end, &r.rights, &r.offset, &dev, &ino); n < 6 {
			continue
		}
		if f := strings.Fields(l); len(f) > 5 {
			r.path = f[5]
		}
		all = append(all, r)
	}
	return all
}

func procMaps(t *T) {
	dir, fd := newFile(t, 3*page)
	defer os.RemoveAll(dir)
	a := mapOf(t, fd, 2, syscall.PROT_READ, mapShared, page)
	defer unmap(t, a, 2)
	syscall.Close(fd)
	exe, _ := os.Executable()
	pc := uint64(reflect.ValueOf(procMaps).Pointer())
	var file, code bool
	last := uint64(0)
	for _, r := range regions(t, "/proc/self/maps") {
		t.Want("in order", r.start >= last && r.end > r.start, true)
		last = r.end
		if r.start == uint64(a) {
			file = true
			t.Want("the file's mapping", r, region{uint64(a), uint64(a) + 2*page, page, "r--s", dir + "/f"})
		}
		if pc >= r.start && pc < r.end {
			code = true
			t.Want("rights of the code", r.rights, "r-xp")
			t.Want("file of the code", r.path, exe)
		}
	}
	t.Want("the file's mapping is there", file, true)
	t.Want("the code is there", code, true)
}

func procSmaps(t *T) {
	a := mapPages(t, 64, rw)
	defer unmap(t, a, 64)
	for i := uintptr(0); i < 64; i++ {
		*at(a + i*page) = 1
	}
	var here, found bool
	for _, l := range lines(t, "/proc/self/smaps") {
		if f := strings.Fields(l); len(f) >= 5 && strings.Contains(f[0], "-") {
			r := region{}
			fmt.Sscanf(f[0], "%x-%x", &r.start, &r.end)
			here = uint64(a) >= r.start && uint64(a) < r.end
		} else if here && strings.HasPrefix(l, "Rss:") {
			found = true
			t.Want("what was touched is resident", number(t, "Rss", strings.TrimPrefix(l, "Rss:")) >= 256, true)
		}
	}
	t.Want("Rss is there", found, true)
}

func procStatus(t *T) {
	for _, path := range []string{"/proc/self/status", "/proc/" + itoa(os.Getpid()) + "/status"} {
		f := fields(t, path)
		t.Want("Pid", number(t, "Pid", f["Pid"]), int64(os.Getpid()))
		t.Want("PPid", number(t, "PPid", f["PPid"]), int64(os.Getppid()))
		t.Want("Threads", number(t, "Threads", f["Threads"]) >= 2, true)
		t.Want("VmRSS", number(t, "VmRSS", f["VmRSS"]) > 100, true)
		t.Want("VmSize", number(t, "VmSize", f["VmSize"]) >= number(t, "VmRSS", f["VmRSS"]), true)
		t.Want("State", strings.HasPrefix(f["State"], "R") || strings.HasPrefix(f["State"], "S"), true)
		t.Want("Uid", strings.Fields(f["Uid"])[0], itoa(os.Getuid()))
		t.Want("CapEff", len(f["CapEff"]), 16)
		number(t, "voluntary_ctxt_switches", f["voluntary_ctxt_switches"])
	}
}

func statFields(t *T, path string) []string {
	s := contents(t, path)
	i := strings.LastIndex(s, ")")
	if i < 0 {
		t.Fatalf("%s: %q", path, s)
	}
	pid, comm, _ := strings.Cut(s[:i], " (")
	return append([]string{pid, comm}, strings.Fields(s[i+1:])...)
}

func procStat(t *T) {
	f := statFields(t, "/proc/self/stat")
	t.Want("fields", len(f), 52)
	t.Want("number", f[0], itoa(os.Getpid()))
	t.Want("name", f[1], strings.TrimSuffix(contents(t, "/proc/self/comm"), "\n"))
	t.Want("threads", number(t, "threads", f[19]) >= 2, true)
	start := number(t, "start", f[21])
	up := strings.Fields(contents(t, "/proc/uptime"))
	now, _ := strconv.ParseFloat(up[0], 64)
	t.Want("started before now", float64(start)/100 <= now, true)
	t.Want("size", number(t, "size", f[22]) > 1<<20, true)
	t.Want("resident", number(t, "resident", f[23]) > 100, true)
	before := number(t, "user", f[13]) + number(t, "system", f[14])
	for begin := time.Now(); time.Since(begin) < 300*time.Millisecond; {
	}
	f = statFields(t, "/proc/self/stat")
	t.Want("CPU time moves", number(t, "user", f[13])+number(t, "system", f[14]) > before, true)
	m := strings.Fields(contents(t, "/proc/self/statm"))
	t.Want("fields of statm", len(m), 7)
	t.Want("resident in statm", number(t, "resident", m[1]) > 100, true)
}

func procDescriptors(t *T) {
	dir, fd := newFile(t, 1000)
	defer os.RemoveAll(dir)
	defer syscall.Close(fd)
	r, w := pipe(t, 0)
	syscall.Seek(fd, 123, 0)
	names, err := os.ReadDir("/proc/self/fd")
	t.Must("ReadDir", err)
	seen := map[string]bool{}
	for _, n := range names {
		seen[n.Name()] = true
	}
	t.Want("all are listed", seen[itoa(fd)] && seen[itoa(r)] && seen[itoa(w)], true)
	link, _ := os.Readlink("/proc/self/fd/" + itoa(fd))
	t.Want("link of a file", link, dir+"/f")
	link, _ = os.Readlink("/proc/self/fd/" + itoa(r))
	other, _ := os.Readlink("/proc/self/fd/" + itoa(w))
	t.Want("link of a pipe", strings.HasPrefix(link, "pipe:[") && link == other, true)
	f := fields(t, "/proc/self/fdinfo/"+itoa(fd))
	t.Want("position", f["pos"], "123")
	flags, _ := strconv.ParseInt(f["flags"], 8, 64)
	t.Want("flags", flags&0x3, int64(syscall.O_RDWR))
	t.Want("close on exec", flags&syscall.O_CLOEXEC, int64(syscall.O_CLOEXEC))
	syscall.Close(r)
	syscall.Close(w)
	_, err = os.Readlink("/proc/self/fd/" + itoa(r))
	t.Want("link of a closed one", errnoOf(err), syscall.ENOENT)
	_, err = os.ReadFile("/proc/self/fdinfo/" + itoa(r))
	t.Want("a closed one", errnoOf(err), syscall.ENOENT)
}

func procTasks(t *T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tid := itoa(syscall.Gettid())
	names, err := os.ReadDir("/proc/self/task")
	t.Must("ReadDir", err)
	found := false
	for _, n := range names {
		found = found || n.Name() == tid
	}
	t.Want("this thread is listed", found, true)
	t.Want("threads", len(names) >= 2, true)
	f := statFields(t, "/proc/self/task/"+tid+"/stat")
	t.Want("number", f[0], tid)
	t.Want("fields", len(f), 52)
	s := fields(t, "/proc/self/task/"+tid+"/status")
	t.Want("Pid", s["Pid"], tid)
	t.Want("Tgid", s["Tgid"], itoa(os.Getpid()))
	t.Want("name", strings.TrimSpace(contents(t, "/proc/self/task/"+tid+"/comm")), f[1])
	link, err := os.Readlink("/proc/thread-self")
	t.Must("thread-self", err)
	t.Want("thread-self", link, itoa(os.Getpid())+"/task/"+tid)
	_, err = os.Stat("/proc/self/task/99999999")
	t.Want("no such thread", errnoOf(err), syscall.ENOENT)
}

func procArguments(t *T) {
	args := strings.Split(strings.TrimSuffix(contents(t, "/proc/self/cmdline"), "\x00"), "\x00")
	t.Want("cmdline", strings.Join(args, "|"), strings.Join(os.Args, "|"))
	env := strings.Split(strings.TrimSuffix(contents(t, "/proc/self/environ"), "\x00"), "\x00")
	t.Want("environ", strings.Join(env, "|"), strings.Join(os.Environ(), "|"))
	comm := strings.TrimSuffix(contents(t, "/proc/self/comm"), "\n")
	name := filepath.Base(os.Args[0])
	if len(name) > 15 {
		name = name[:15]
	}
	t.Want("comm", comm, name)
	dir, _ := os.Readlink("/proc/self/cwd")
	wd, _ := os.Getwd()
	t.Want("cwd", dir, wd)
	root, _ := os.Readlink("/proc/self/root")
	t.Want("root", root, "/")
}

func procAuxv(t *T) {
	b := []byte(contents(t, "/proc/self/auxv"))
	values := map[uint64]uint64{}
	for ; len(b) >= 16; b = b[16:] {
		values[binary.LittleEndian.Uint64(b)] = binary.LittleEndian.Uint64(b[8:])
	}
	t.Want("AT_PAGESZ", values[6], uint64(4096))
	t.Want("AT_CLKTCK", values[17], uint64(100))
	_, there := values[33]
	t.Want("AT_SYSINFO_EHDR", there, true)
}

func procLimits(t *T) {
	var l syscall.Rlimit
	t.Must("getrlimit", syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l))
	for _, line := range lines(t, "/proc/self/limits") {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			f := strings.Fields(rest)
			t.Want("soft", f[0], strconv.FormatUint(l.Cur, 10))
			t.Want("units", f[2], "files")
			return
		}
	}
	t.Errorf("no line of open files")
}

func procMounts(t *T) {
	var root, proc bool
	for _, l := range lines(t, "/proc/self/mountinfo") {
		before, after, ok := strings.Cut(l, " - ")
		b, a := strings.Fields(before), strings.Fields(after)
		if !ok || len(b) < 6 || len(a) < 2 {
			t.Errorf("%q", l)
			continue
		}
		root = root || b[4] == "/"
		proc = proc || b[4] == "/proc" && a[0] == "proc"
	}
	t.Want("root and /proc", root && proc, true)
	for _, l := range lines(t, "/proc/mounts") {
		t.Want("fields", len(strings.Fields(l)), 6)
	}
}

func procCgroup(t *T) {
	for _, l := range lines(t, "/proc/self/cgroup") {
		t.Want("fields", len(strings.SplitN(l, ":", 3)), 3)
	}
}

func procIO(t *T) {
	dir, fd := newFile(t, 100000)
	defer os.RemoveAll(dir)
	defer syscall.Close(fd)
	before := fields(t, "/proc/self/io")
	syscall.Pread(fd, make([]byte, 50000), 0)
	syscall.Pwrite(fd, make([]byte, 70000), 0)
	after := fields(t, "/proc/self/io")
	moved := func(name string) int64 { return number(t, name, after[name]) - number(t, name, before[name]) }
	t.Want("rchar", moved("rchar") >= 50000, true)
	t.Want("wchar", moved("wchar") >= 70000, true)
	t.Want("syscr", moved("syscr") >= 1, true)
	t.Want("syscw", moved("syscw") >= 1, true)
	number(t, "read_bytes", after["read_bytes"])
	number(t, "cancelled_write_bytes", after["cancelled_write_bytes"])
}

func procListing(t *T) {
	names, err := os.ReadDir("/proc")
	t.Must("ReadDir", err)
	seen := map[string]bool{}
	for _, n := range names {
		seen[n.Name()] = true
	}
	for _, name := range []string{itoa(os.Getpid()), "self", "meminfo", "cpuinfo", "stat", "sys", "net"} {
		t.Want(name, seen[name], true)
	}
	link, _ := os.Readlink("/proc/self")
	t.Want("self", link, itoa(os.Getpid()))
	_, err = os.Stat("/proc/99999999")
	t.Want("no such process", errnoOf(err), syscall.ENOENT)
	t.Want("new file", openError("/proc/new", syscall.O_CREAT|syscall.O_RDWR), syscall.ENOENT)
	t.Want("unlink", errnoOf(syscall.Unlink("/proc/meminfo")) != 0, true)
}

// procNames: what was looked up before its directory was listed is what is listed, once; and what is
// listed is there.
func procNames(t *T) {
	for _, path := range []string{"/proc/self/status", "/proc/sys/kernel/ostype",
		"/proc/sys/kernel/random/boot_id", "/sys/devices/system/cpu/online"} {
		f, err := os.Open(path)
		t.Must("open", err)
		defer f.Close()
		opened, err := f.Stat()
		t.Must("fstat", err)
		dir, base := filepath.Split(path)
		for i := 0; i < 2; i++ {
			t.Want(path, listedOnce(t, dir)[base], true)
			again, err := os.Stat(path)
			t.Must("stat", err)
			t.Want(path+" is one file", os.SameFile(opened, again), true)
		}
		_, err = os.Lstat(dir + "no-such-name")
		t.Want(dir, errnoOf(err), syscall.ENOENT)
	}
}

func listedOnce(t *T, dir string) map[string]bool {
	names, err := os.ReadDir(dir)
	t.Must("ReadDir", err)
	seen := map[string]bool{}
	for _, n := range names {
		t.Want(dir+n.Name()+" is listed twice", seen[n.Name()], false)
		seen[n.Name()] = true
		info, err := os.Lstat(dir + n.Name())
		t.Must("lstat", err)
		t.Want(dir+n.Name(), info.Mode().Type(), n.Type())
	}
	return seen
}

func procCPU(t *T) {
	n := 0
	for _, l := range lines(t, "/proc/cpuinfo") {
		if strings.HasPrefix(l, "processor") {
			n++
		}
	}
	t.Want("processors", n >= runtime.NumCPU(), true)
	cpus, btime := 0, int64(0)
	for _, l := range lines(t, "/proc/stat") {
		f := strings.Fields(l)
		if strings.HasPrefix(f[0], "cpu") {
			cpus++
			t.Want("columns", len(f), 11)
		}
		if f[0] == "btime" {
			btime = number(t, "btime", f[1])
		}
	}
	t.Want("lines of CPUs", cpus, n+1)
	t.Want("boot time", btime > 1e9 && btime <= time.Now().Unix(), true)
	online := strings.TrimSpace(contents(t, "/sys/devices/system/cpu/online"))
	t.Want("online", online == "0" || strings.HasPrefix(online, "0-"), true)
}

func procMemory(t *T) {
	m := fields(t, "/proc/meminfo")
	kib := func(name string) int64 { return number(t, name, m[name]) }
	t.Want("MemTotal", kib("MemTotal") > 10000, true)
	t.Want("MemFree", kib("MemFree") <= kib("MemTotal"), true)
	t.Want("MemAvailable", kib("MemAvailable") <= kib("MemTotal"), true)
	for _, name := range []string{"Buffers", "Cached", "SwapTotal", "SwapFree", "Slab", "Shmem"} {
		kib(name)
	}
	var s syscall.Sysinfo_t
	t.Must("sysinfo", syscall.Sysinfo(&s))
	t.Want("sysinfo agrees", int64(s.Totalram)*int64(s.Unit)/1024, kib("MemTotal"))
}

func procUptimeAndLoad(t *T) {
	up := func() float64 {
		f := strings.Fields(contents(t, "/proc/uptime"))
		t.Want("fields", len(f), 2)
		v, err := strconv.ParseFloat(f[0], 64)
		t.Must("uptime", err)
		return v
	}
	first := up()
	time.Sleep(50 * time.Millisecond)
	t.Want("uptime moves", up() > first, true)
	f := strings.Fields(contents(t, "/proc/loadavg"))
	t.Want("fields", len(f), 5)
	for _, v := range f[:3] {
		n, err := strconv.ParseFloat(v, 64)
		t.Want("load", err == nil && n >= 0, true)
	}
	running, all, _ := strings.Cut(f[3], "/")
	t.Want("threads", number(t, "running", running) >= 1 && number(t, "all", all) >= 2, true)
}

func procVersionAndNames(t *T) {
	var u syscall.Utsname
	t.Must("uname", syscall.Uname(&u))
	name := func(c *[65]int8) string {
		b := unsafe.Slice((*byte)(unsafe.Pointer(c)), 65)
		s, _, _ := bytes.Cut(b, []byte{0})
		return string(s)
	}
	one := func(path string) string { return strings.TrimSuffix(contents(t, "/proc/sys/kernel/"+path), "\n") }
	t.Want("osrelease", one("osrelease"), name(&u.Release))
	t.Want("ostype", one("ostype"), name(&u.Sysname))
	t.Want("hostname", one("hostname"), name(&u.Nodename))
	host, _ := os.Hostname()
	t.Want("os.Hostname", host, name(&u.Nodename))
	t.Want("version", strings.HasPrefix(contents(t, "/proc/version"), "Linux version "+name(&u.Release)+" "), true)
	t.Want("filesystems", strings.Contains(contents(t, "/proc/filesystems"), "nodev\tproc\n"), true)
}

func procNumbers(t *T) {
	for _, name := range []string{"kernel/pid_max", "kernel/threads-max", "kernel/cap_last_cap", "vm/overcommit_memory",
		"vm/max_map_count", "vm/swappiness", "net/core/somaxconn", "fs/file-max", "fs/nr_open", "fs/pipe-max-size"} {
		number(t, name, strings.TrimSpace(contents(t, "/proc/sys/"+name)))
	}
	f := strings.Fields(contents(t, "/proc/sys/net/ipv4/ip_local_port_range"))
	t.Want("ports", len(f) == 2 && number(t, "low", f[0]) < number(t, "high", f[1]), true)
	f = strings.Fields(contents(t, "/proc/sys/fs/file-nr"))
	t.Want("open files", len(f) == 3 && number(t, "open", f[0]) > 0, true)
}

func procRandom(t *T) {
	one := func(path string) string { return contents(t, "/proc/sys/kernel/random/"+path) }
	t.Want("uuid", len(one("uuid")), 37)
	t.Want("uuid differs", one("uuid") != one("uuid"), true)
	t.Want("boot_id stays", one("boot_id"), one("boot_id"))
	t.Want("entropy", number(t, "entropy_avail", one("entropy_avail")) >= 256, true)
	number(t, "poolsize", one("poolsize"))
}

// procReadingInPieces: small reads and seeks give the same text, which a stat says is empty.
func procReadingInPieces(t *T) {
	whole := contents(t, "/proc/self/limits")
	fd := open(t, "/proc/self/limits", syscall.O_RDONLY, 0)
	defer syscall.Close(fd)
	t.Want("size", fstat(t, fd).Size, int64(0))
	var got []byte
	b := make([]byte, 100)
	for {
		n, err := syscall.Read(fd, b)
		t.Must("read", err)
		if n == 0 {
			break
		}
		got = append(got, b[:n]...)
	}
	t.Want("text", string(got), whole)
	n, err := syscall.Pread(fd, b[:10], 20)
	t.Want("from a position", err == nil && string(b[:n]) == whole[20:30], true)
	syscall.Seek(fd, 0, 0)
	n, _ = syscall.Read(fd, b)
	t.Want("again", string(b[:n]), whole[:n])
}

// procSockets: the program's sockets are in the tables, by their addresses and inodes.
func procSockets(t *T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	t.Must("listen", err)
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	t.Must("dial", err)
	defer c.Close()
	u, err := net.ListenPacket("udp4", "127.0.0.1:0")
	t.Must("listen", err)
	defer u.Close()
	local := func(a net.Addr) string {
		_, port, _ := net.SplitHostPort(a.String())
		n, _ := strconv.Atoi(port)
		return fmt.Sprintf("0100007F:%04X", n)
	}
	find := func(path, address, peer string) string {
		for _, l := range lines(t, path) {
			if f := strings.Fields(l); len(f) > 9 && f[1] == address && (peer == "" || f[2] == peer) {
				return f[3] + " " + f[9]
			}
		}
		return ""
	}
	listener := find("/proc/net/tcp", local(l.Addr()), "00000000:0000")
	t.Want("listener", strings.HasPrefix(listener, "0A "), true)
	t.Want("connection", strings.HasPrefix(find("/proc/net/tcp", local(c.LocalAddr()), local(l.Addr())), "01 "), true)
	t.Want("datagrams", strings.HasPrefix(find("/proc/net/udp", local(u.LocalAddr()), ""), "07 "), true)
	t.Want("columns of dev", strings.Contains(contents(t, "/proc/net/dev"), "|bytes    packets errs drop fifo frame"), true)
	names, _ := os.ReadDir("/proc/self/fd")
	found := false
	for _, n := range names {
		link, _ := os.Readlink("/proc/self/fd/" + n.Name())
		found = found || len(listener) > 3 && link == "socket:["+listener[3:]+"]"
	}
	t.Want("the inode is that of a descriptor", found, true)
	s := tempDir(t)
	defer os.RemoveAll(s)
	x, err := net.Listen("unix", s+"/socket")
	t.Must("listen", err)
	defer x.Close()
	t.Want("a name in the file system", strings.Contains(contents(t, "/proc/net/unix"), " "+s+"/socket\n"), true)
}
