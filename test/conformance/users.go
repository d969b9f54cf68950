package main

import (
	"os"
	"runtime"
	"syscall"
)

// Users: who a thread acts as, and what that does to its capabilities.
var userChecks = []check{
	{"setuid-is-of-the-thread", asRoot(setuidIsOfTheThread)},
	{"setuid-without-capability", asRoot(setuidWithoutCapability)},
	{"setreuid", asRoot(setreuid)},
	{"setresuid", asRoot(setresuid)},
	{"setfsuid", asRoot(setfsuid)},
	{"capabilities-follow-users", asRoot(capabilitiesFollowUsers)},
	{"keep-capabilities", asRoot(keepCapabilities)},
	{"capset-only-shrinks", asRoot(capsetOnlyShrinks)},
	{"capget-version", capgetVersion},
	{"setgid", asRoot(setgid)},
	{"groups", asRoot(groups_)},
	{"all-threads", asRoot(allThreads)},
	{"new-thread-inherits", asRoot(newThreadInherits)},
}

// asRoot runs f on a thread of its own, which ends with what it became.
func asRoot(f func(t *T)) func(t *T) {
	return func(t *T) {
		if os.Geteuid() != 0 {
			t.Skipf("only the super-user can become others")
		}
		onOwnThread(func() { f(t) })
	}
}

// onOwnThread runs f on a thread that ends with it; when it returns the thread is gone. The main
// thread is never chosen: it would not end, but park for ever.
func onOwnThread(f func()) {
	tid := make(chan int)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends
		self := syscall.Gettid()
		if self == os.Getpid() {
			onOwnThread(f)
			runtime.UnlockOSThread()
			tid <- 0
			return
		}
		defer func() { tid <- self }()
		f()
	}()
	if gone := <-tid; gone != 0 {
		for tgkill(gone, 0) == 0 {
			runtime.Gosched()
		}
	}
}

func raw(number uintptr, args ...uintptr) (uintptr, syscall.Errno) {
	var a [3]uintptr
	copy(a[:], args)
	r, _, e := syscall.RawSyscall(number, a[0], a[1], a[2])
	return r, e
}

func wantIDs(t *T, what string, number uintptr, want ...uint32) {
	var got [3]uint32
	_, e := raw(number, ptr(&got[0]), ptr(&got[1]), ptr(&got[2]))
	t.Want(what, e, syscall.Errno(0))
	t.Want(what, got, [3]uint32{want[0], want[1], want[2]})
}

func wantUsers(t *T, what string, want ...uint32) {
	wantIDs(t, what, syscall.SYS_GETRESUID, want...)
	r, _ := raw(syscall.SYS_GETUID)
	t.Want(what+": getuid", uint32(r), want[0])
	r, _ = raw(syscall.SYS_GETEUID)
	t.Want(what+": geteuid", uint32(r), want[1])
	r, _ = raw(syscall.SYS_SETFSUID, minusOne)
	t.Want(what+": setfsuid", uint32(r), want[3])
}

const minusOne = 0xffffffff

// wantErr makes a call of three arguments at most and compares its error.
func wantErr(t *T, what string, want syscall.Errno, number uintptr, args ...uintptr) {
	_, e := raw(number, args...)
	t.Want(what, e, want)
}

func setuidIsOfTheThread(t *T) {
	wantErr(t, "setuid", 0, syscall.SYS_SETUID, 1000)
	wantUsers(t, "after setuid", 1000, 1000, 1000, 1000)
	done := make(chan uintptr)
	go func() { r, _ := raw(syscall.SYS_GETUID); done <- r }()
	t.Want("on another thread", <-done, uintptr(0))
}

func setuidWithoutCapability(t *T) {
	wantErr(t, "setuid(-1)", syscall.EINVAL, syscall.SYS_SETUID, minusOne)
	wantErr(t, "setresuid", 0, syscall.SYS_SETRESUID, 1000, 1001, 1002)
	wantErr(t, "to a stranger", syscall.EPERM, syscall.SYS_SETUID, 5)
	wantErr(t, "to the effective one", syscall.EPERM, syscall.SYS_SETUID, 1001)
	wantErr(t, "to the saved one", 0, syscall.SYS_SETUID, 1002)
	wantUsers(t, "then", 1000, 1002, 1002, 1002)
	wantErr(t, "back to the super-user", syscall.EPERM, syscall.SYS_SETUID, 0)
}

func setreuid(t *T) {
	wantErr(t, "effective only", 0, syscall.SYS_SETREUID, minusOne, 1000)
	wantUsers(t, "effective only", 0, 1000, 1000, 1000)
	wantErr(t, "swap", 0, syscall.SYS_SETREUID, 1000, 0)
	wantUsers(t, "swap", 1000, 0, 0, 0)
	wantErr(t, "for good", 0, syscall.SYS_SETREUID, 1000, 1000)
	wantUsers(t, "for good", 1000, 1000, 1000, 1000)
	wantErr(t, "a stranger as real", syscall.EPERM, syscall.SYS_SETREUID, 0, minusOne)
	wantErr(t, "a stranger as effective", syscall.EPERM, syscall.SYS_SETREUID, minusOne, 0)
}

func setresuid(t *T) {
	wantErr(t, "nothing", 0, syscall.SYS_SETRESUID, minusOne, minusOne, minusOne)
	wantUsers(t, "nothing", 0, 0, 0, 0)
	wantErr(t, "effective", 0, syscall.SYS_SETRESUID, 7, 8, 0)
	wantUsers(t, "effective", 7, 8, 0, 8)
	wantErr(t, "a stranger", syscall.EPERM, syscall.SYS_SETRESUID, 7, 8, 9)
	wantErr(t, "exchange", 0, syscall.SYS_SETRESUID, 8, 0, 7)
	wantUsers(t, "exchange", 8, 0, 7, 0)
}

func setfsuid(t *T) {
	r, _ := raw(syscall.SYS_SETFSUID, 33)
	t.Want("old one", r, uintptr(0))
	wantUsers(t, "then", 0, 0, 0, 33)
	wantErr(t, "setresuid", 0, syscall.SYS_SETRESUID, 5, 5, 5)
	r, _ = raw(syscall.SYS_SETFSUID, 33)
	t.Want("follows the effective one", r, uintptr(5))
	wantUsers(t, "refused", 5, 5, 5, 5)
}

type capHeader struct {
	version uint32
	pid     int32
}

type capData struct{ effective, permitted, inheritable uint32 }

const (
	capVersion3 = 0x20080522
	capSetuid   = 1 << 7
	capChown    = 1 << 0
)

func capget(t *T) [2]capData {
	var d [2]capData
	h := capHeader{version: capVersion3}
	_, e := raw(syscall.SYS_CAPGET, ptr(&h), ptr(&d[0]))
	t.Want("capget", e, syscall.Errno(0))
	return d
}

func capabilitiesFollowUsers(t *T) {
	before := capget(t)
	wantErr(t, "effective user", 0, syscall.SYS_SETRESUID, minusOne, 1000, minusOne)
	d := capget(t)
	t.Want("effective set without effective root", d[0].effective, uint32(0))
	t.Want("permitted set without effective root", d[0].permitted, before[0].permitted)
	wantErr(t, "back", 0, syscall.SYS_SETRESUID, minusOne, 0, minusOne)
	t.Want("effective set again", capget(t)[0].effective, before[0].permitted)
	raw(syscall.SYS_SETFSUID, 1000)
	t.Want("CAP_CHOWN without fsuid 0", capget(t)[0].effective&capChown, uint32(0))
	t.Want("CAP_SETUID without fsuid 0", capget(t)[0].effective&capSetuid, uint32(capSetuid))
	raw(syscall.SYS_SETFSUID, 0)
	t.Want("CAP_CHOWN with fsuid 0", capget(t)[0].effective&capChown, uint32(capChown))
	wantErr(t, "no root anywhere", 0, syscall.SYS_SETRESUID, 1, 1, 1)
	t.Want("then no capability is left", capget(t), [2]capData{})
}

const (
	prGetKeepcaps, prSetKeepcaps = 7, 8
	prCapbsetRead, prCapbsetDrop = 23, 24
	prSetNoNewPrivs, prGetNo     = 38, 39
)

func keepCapabilities(t *T) {
	wantErr(t, "PR_SET_KEEPCAPS 2", syscall.EINVAL, syscall.SYS_PRCTL, prSetKeepcaps, 2)
	wantErr(t, "PR_SET_KEEPCAPS", 0, syscall.SYS_PRCTL, prSetKeepcaps, 1)
	r, _ := raw(syscall.SYS_PRCTL, prGetKeepcaps)
	t.Want("PR_GET_KEEPCAPS", r, uintptr(1))
	before := capget(t)
	wantErr(t, "setuid", 0, syscall.SYS_SETUID, 1000)
	d := capget(t)
	t.Want("effective set", d[0].effective, uint32(0))
	t.Want("permitted set", d[0].permitted, before[0].permitted)
	d[0].effective = capSetuid
	h := capHeader{version: capVersion3}
	wantErr(t, "capset", 0, syscall.SYS_CAPSET, ptr(&h), ptr(&d[0]))
	wantErr(t, "setuid by capability", 0, syscall.SYS_SETUID, 0)
}

func capsetOnlyShrinks(t *T) {
	h := capHeader{version: capVersion3}
	d := capget(t)
	all := d
	d[0].effective, d[0].permitted = capChown, capChown
	d[1] = capData{}
	wantErr(t, "less", 0, syscall.SYS_CAPSET, ptr(&h), ptr(&d[0]))
	t.Want("is less", capget(t), d)
	wantErr(t, "more", syscall.EPERM, syscall.SYS_CAPSET, ptr(&h), ptr(&all[0]))
	d[0].effective |= capSetuid
	wantErr(t, "effective beyond permitted", syscall.EPERM, syscall.SYS_CAPSET, ptr(&h), ptr(&d[0]))
	wantErr(t, "user 0 without CAP_SETUID", syscall.EPERM, syscall.SYS_SETUID, 5)
	wantErr(t, "groups without CAP_SETGID", syscall.EPERM, syscall.SYS_SETGROUPS, 0, 0)
	wantErr(t, "bounding set without CAP_SETPCAP", syscall.EPERM, syscall.SYS_PRCTL, prCapbsetDrop, 0)
	wantErr(t, "no such capability", syscall.EINVAL, syscall.SYS_PRCTL, prCapbsetRead, 64)
	wantErr(t, "PR_SET_NO_NEW_PRIVS", 0, syscall.SYS_PRCTL, prSetNoNewPrivs, 1)
}

func capgetVersion(t *T) {
	h := capHeader{version: 1}
	var d [2]capData
	_, e := call(syscall.SYS_CAPGET, ptr(&h), ptr(&d[0]))
	t.Want("capget of no version", e, syscall.EINVAL)
	t.Want("the newest is told", h.version, uint32(capVersion3))
	h.version = 0
	_, e = call(syscall.SYS_CAPGET, ptr(&h), 0)
	t.Want("asking for the version", e, syscall.Errno(0))
	h = capHeader{version: capVersion3, pid: 1 << 22}
	_, e = call(syscall.SYS_CAPGET, ptr(&h), ptr(&d[0]))
	t.Want("capget of nobody", e, syscall.ESRCH)
	h.pid = -1
	_, e = call(syscall.SYS_CAPGET, ptr(&h), ptr(&d[0]))
	t.Want("capget of -1", e, syscall.EINVAL)
}

func setgid(t *T) {
	wantErr(t, "setgid(-1)", syscall.EINVAL, syscall.SYS_SETGID, minusOne)
	wantErr(t, "setgid", 0, syscall.SYS_SETGID, 20)
	wantIDs(t, "setgid", syscall.SYS_GETRESGID, 20, 20, 20)
	wantErr(t, "setresgid", 0, syscall.SYS_SETRESGID, 1, 2, 3)
	wantIDs(t, "setresgid", syscall.SYS_GETRESGID, 1, 2, 3)
	r, _ := raw(syscall.SYS_SETFSGID, 9)
	t.Want("setfsgid", r, uintptr(2))
	r, _ = raw(syscall.SYS_SETFSGID, minusOne)
	t.Want("setfsgid", r, uintptr(9))
	wantErr(t, "setregid", 0, syscall.SYS_SETREGID, 4, minusOne)
	wantIDs(t, "setregid", syscall.SYS_GETRESGID, 4, 2, 2)
	wantErr(t, "setuid", 0, syscall.SYS_SETUID, 1000)
	wantErr(t, "a stranger", syscall.EPERM, syscall.SYS_SETGID, 77)
	wantErr(t, "a stranger by setresgid", syscall.EPERM, syscall.SYS_SETRESGID, 77, minusOne, minusOne)
	wantErr(t, "the real one", 0, syscall.SYS_SETGID, 4)
	wantIDs(t, "the real one", syscall.SYS_GETRESGID, 4, 4, 2)
}

func groups_(t *T) {
	want := []uint32{30, 5, 9, 5, 70000, 1}
	wantErr(t, "setgroups", 0, syscall.SYS_SETGROUPS, uintptr(len(want)), ptr(&want[0]))
	r, e := raw(syscall.SYS_GETGROUPS, 0, 0)
	t.Want("how many", r, uintptr(len(want)))
	t.Want("how many", e, syscall.Errno(0))
	got := make([]uint32, 8)
	r, _ = raw(syscall.SYS_GETGROUPS, 8, ptr(&got[0]))
	t.Want("got", r, uintptr(len(want)))
	t.Want("ascending", [6]uint32(got[:6]), [6]uint32{1, 5, 5, 9, 30, 70000})
	wantErr(t, "no room", syscall.EINVAL, syscall.SYS_GETGROUPS, 3, ptr(&got[0]))
	wantErr(t, "getgroups(-1)", syscall.EINVAL, syscall.SYS_GETGROUPS, minusOne, ptr(&got[0]))
	wantErr(t, "too many", syscall.EINVAL, syscall.SYS_SETGROUPS, 65537, ptr(&got[0]))
	wantErr(t, "bad pointer", syscall.EFAULT, syscall.SYS_SETGROUPS, 2, badPointer)
	r, _ = raw(syscall.SYS_GETGROUPS, 0, 0)
	t.Want("unchanged", r, uintptr(len(want)))
	wantErr(t, "none", 0, syscall.SYS_SETGROUPS, 0, 0)
	r, _ = raw(syscall.SYS_GETGROUPS, 0, 0)
	t.Want("none", r, uintptr(0))
}

// allThreads is what syscall.Setgroups does: every thread has the new groups when it returns.
func allThreads(t *T) {
	old, err := syscall.Getgroups()
	t.Must("Getgroups", err)
	t.Must("Setgroups", syscall.Setgroups([]int{11, 12}))
	for i := 0; i < 8; i++ {
		done := make(chan uintptr)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			r, _ := raw(syscall.SYS_GETGROUPS, 0, 0)
			done <- r
		}()
		t.Want("groups of another thread", <-done, uintptr(2))
	}
	t.Must("Setgroups back", syscall.Setgroups(old))
}

func newThreadInherits(t *T) {
	wantErr(t, "setgid", 0, syscall.SYS_SETGID, 55)
	got := make(chan uintptr)
	go func() { // made by a thread with group 0: Go has one for threads of locked ones
		runtime.LockOSThread()
		r, _ := raw(syscall.SYS_GETGID)
		got <- r
	}()
	t.Want("a thread of Go's", <-got, uintptr(0))
	r := cloneAndAsk(t, syscall.SYS_GETGID)
	t.Want("a thread made by this one", r, uintptr(55))
}
