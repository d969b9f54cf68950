package main

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Proc: what /proc tells about the process and the machine, in the form that programs parse.
var procChecks = slices.Concat(procSelfChecks, procNumberChecks, procSystemChecks)

// What it tells about this process.
var procSelfChecks = []check{
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
	{"io", procIO},
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
	st, err := os.Stat("/proc/self/fd")
	t.Must("stat", err)
	t.Want("a stat counts them", st.Size() == int64(len(names)) || st.Size() == int64(len(names))-1, true) // less ReadDir's own
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
