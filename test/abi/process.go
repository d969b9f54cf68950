package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

func process() {
	show("no such call", call(1023))
	show("no such call", call(9999))
	pid := call(syscall.SYS_GETPID)
	fact("pid", pid > 0)
	fact("main thread", syscall.Gettid() > 0)
	for _, n := range []uintptr{syscall.SYS_GETUID, syscall.SYS_GETEUID, syscall.SYS_GETGID, syscall.SYS_GETEGID} {
		fact("id", call(n) >= 0)
	}
	var uts syscall.Utsname
	show("uname", call(syscall.SYS_UNAME, ptr(&uts)))
	release := text(uts.Release[:])
	parts := strings.SplitN(release, ".", 3)
	major, _ := strconv.Atoi(parts[0])
	fmt.Println("  ", text(uts.Sysname[:]), text(uts.Machine[:]), "new enough", major >= 5)

	var set [128]byte
	n := call(syscall.SYS_SCHED_GETAFFINITY, 0, uintptr(len(set)), ptr(&set))
	fact("affinity", n > 0 && n%8 == 0 && set[0]&1 == 1)
	show("affinity, no room", call(syscall.SYS_SCHED_GETAFFINITY, 0, 1, ptr(&set)))
	show("yield", call(syscall.SYS_SCHED_YIELD))

	b := make([]byte, 64)
	show("getrandom", call(318, ptr(&b[0]), 64, 0))
	fact("  random", bytes.Count(b, []byte{0}) < 10)
	show("getrandom nonblock", call(318, ptr(&b[0]), 10, 1))
	show("getrandom nowhere", call(318, badPointer, 10, 0))
	show("getrandom bad flags", call(318, ptr(&b[0]), 10, 0x100))

	var lim [2]uint64
	show("prlimit files", call(302, 0, 7, 0, ptr(&lim)))
	fact("  some", lim[0] >= 1024 && lim[1] >= lim[0])
	show("prlimit unknown", call(302, 0, 99, 0, ptr(&lim)))
	show("getrlimit stack", call(syscall.SYS_GETRLIMIT, 3, ptr(&lim)))

	var info syscall.Sysinfo_t
	show("sysinfo", call(syscall.SYS_SYSINFO, ptr(&info)))
	fact("  memory", info.Totalram*uint64(info.Unit) > 16<<20 && info.Freeram <= info.Totalram)
	show("sysinfo nowhere", call(syscall.SYS_SYSINFO, badPointer))
	show("wait for no child", call(syscall.SYS_WAIT4, ^uintptr(0), 0, 0, 0))
	show("umask", call(syscall.SYS_UMASK, 0o22)*0)
	show("umask again", call(syscall.SYS_UMASK, 0o22))
	cwd, err := os.Getwd()
	fact("cwd", err == nil && strings.HasPrefix(cwd, "/"))
}

func text(b []int8) string {
	var s []byte
	for _, c := range b {
		if c == 0 {
			break
		}
		s = append(s, byte(c))
	}
	return string(s)
}
