package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// What /proc tells about the machine.
var procSystemChecks = []check{
	{"mounts", procMounts},
	{"cgroup", procCgroup},
	{"listing", procListing},
	{"names-before-and-after-listing", procNames},
	{"cpu", procCPU},
	{"memory", procMemory},
	{"uptime-and-load", procUptimeAndLoad},
	{"version-and-names", procVersionAndNames},
	{"numbers", procNumbers},
	{"random", procRandom},
	{"sockets", procSockets},
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
	for _, list := range []string{"offline", "isolated"} {
		for _, c := range strings.TrimSpace(contents(t, "/sys/devices/system/cpu/"+list)) {
			t.Want(list+" is a list of numbers", strings.ContainsRune("0123456789-,", c), true)
		}
	}
	most := strings.TrimSpace(contents(t, "/sys/devices/system/cpu/kernel_max"))
	t.Want("the largest number there could be", number(t, "kernel_max", most) >= int64(runtime.NumCPU()-1), true)
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
