package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// options is what a measurement may ask of a guest.
type options struct {
	memory int      // MiB
	cpus   int      // 0: one
	port   int      // of the host, forwarded to the guest's 8080; 0: no network
	count  string   // file for the plugin's counts; "": run at full speed
	args   []string // the program's
	stats  bool     // ours: print what the kernel counted, at the end
}

// command makes the words that start a guest.
type command func(o options) []string

// instructionClock makes a nanosecond of the guest an instruction, so that counts repeat.
func instructionClock(file string) []string {
	return []string{"-icount", "shift=0,sleep=off", "-plugin", in("insncount.so") + ",out=" + file}
}

func oursRun(image string) command {
	return func(o options) []string {
		args := []string{*gosolo, "run", "--accel", "tcg", "-m", fmt.Sprintf("%dM", o.memory), "-c", strconv.Itoa(max(1, o.cpus))}
		if o.port != 0 {
			args = append(args, "-p", fmt.Sprintf("127.0.0.1:%d:8080", o.port))
		}
		if o.count != "" {
			for _, a := range instructionClock(o.count) {
				args = append(args, "--vmm-arg", a)
			}
			// gosolo says it by itself, but not when QEMU gets further arguments, which may load something.
			args = append(args, "--kernel-arg", "ram=zero")
		}
		if o.stats {
			args = append(args, "--stats")
		}
		return append(append(args, in(image)), o.args...)
	}
}

// linuxArgs is Linux tuned as well as we can: entered by PVH without decompression, quiet, no
// mitigations, nothing timed that can be told, none of the initcalls that take long and serve
// nothing here.
const linuxArgs = "console=ttyS0 quiet loglevel=0 panic=-1 reboot=t mitigations=off tsc=reliable " +
	"cryptomgr.notests lsm= audit=0 init_on_alloc=0 rodata=off 8250.nr_uarts=1 " +
	"initcall_blacklist=init_kprobe_trace,crypto_kdf108_init,load_system_certificate_list," +
	"tracer_init_tracefs,init_blk_tracer"

// linuxRun boots Debian's kernel with an initramfs whose /init is the program itself, or the
// network's set-up before it.
func linuxRun(initramfs string, isInit bool) command {
	return func(o options) []string {
		khz, accel := hostTSC(), "tcg,thread=multi"
		if o.count != "" {
			khz, accel = 1_000_000, "tcg"
		}
		args := microvm(accel, o, in("vmlinux"))
		args = append(args, "-global", "virtio-mmio.force-legacy=false", "-initrd", in(initramfs),
			"-append", linuxArgs+" tsc_early_khz="+strconv.Itoa(khz)+" -- "+strings.Join(o.args, " "))
		if !isInit {
			args = append(args, "-netdev", fmt.Sprintf("user,id=n0,hostfwd=tcp:127.0.0.1:%d-10.0.2.15:8080", o.port),
				"-device", "virtio-net-device,netdev=n0")
		}
		if o.count != "" {
			args = append(args, instructionClock(o.count)...)
		}
		return args
	}
}

func floorRun(o options) []string { return microvm("tcg,thread=multi", o, in("floor")) }

// microvm is the machine of all guests. Without -erms a kernel copies by "rep movsb", which TCG
// runs a byte at a time. Room for a second CPU: without it TCG leaves the barriers out that virtio
// needs, as cli/qemu.c tells.
func microvm(accel string, o options, kernel string) []string {
	cpus := strconv.Itoa(max(1, o.cpus))
	if cpus == "1" {
		cpus += ",maxcpus=2,sockets=2"
	}
	return []string{"qemu-system-x86_64", "-M", "microvm", "-cpu", "max,-erms", "-accel", accel,
		"-smp", cpus, "-m", strconv.Itoa(o.memory), "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio",
		"-no-reboot", "-bios", "qboot.rom", "-kernel", kernel}
}

// hostTSC is the rate in kHz of the host's time stamp counter, which a TCG guest sees too.
func hostTSC() int {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for _, r := range []struct {
		name   string
		factor float64
	}{{"bogomips", 500}, {"cpu MHz", 1000}} {
		if m := regexp.MustCompile(`(?m)^` + r.name + `\s*:\s*([0-9.]+)`).FindSubmatch(b); m != nil {
			v, _ := strconv.ParseFloat(string(m[1]), 64)
			return int(v * r.factor)
		}
	}
	fail("/proc/cpuinfo does not tell the rate of the time stamp counter")
	return 0
}

// guest is a running machine and what it has printed.
type guest struct {
	cmd     *exec.Cmd
	started time.Time
	ended   chan struct{}
	mu      sync.Mutex
	text    bytes.Buffer
	errors  bytes.Buffer
	waiting map[string]chan time.Duration // text -> when it was first seen
}

func (g *guest) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.text.Write(b)
	for text, seen := range g.waiting {
		if strings.Contains(g.text.String(), text) {
			seen <- time.Since(g.started)
			delete(g.waiting, text)
		}
	}
	return len(b), nil
}

// launch starts a guest and tells when its output first holds text; the channel is closed without
// a value when the guest ends before.
func launch(argv []string, text string) (*guest, chan time.Duration) {
	seen := make(chan time.Duration, 1)
	g := &guest{ended: make(chan struct{}), waiting: map[string]chan time.Duration{text: seen}}
	g.cmd = exec.Command(argv[0], argv[1:]...)
	g.cmd.Stdout, g.cmd.Stderr = g, &g.errors
	g.cmd.WaitDelay = time.Second
	// A session of its own, as gosolo gives to its QEMU: where the host's scheduler shares the CPU out
	// to sessions (autogroup), neither guest then has more than the other.
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	g.started = time.Now()
	if err := g.cmd.Start(); err != nil {
		fail(err)
	}
	go func() {
		g.cmd.Wait()
		g.mu.Lock()
		g.waiting = nil
		g.mu.Unlock()
		close(seen)
		close(g.ended)
	}()
	return g, seen
}

// hostCPU is the CPU time that the guest's process and those that it started have taken.
func (g *guest) hostCPU() time.Duration {
	const perSecond = 100 // USER_HZ
	type process struct{ parent, ticks int }
	all := map[int]process{}
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		text := string(b)
		f := strings.Fields(text[strings.LastIndex(text, ")")+1:]) // the name may hold anything
		if len(f) < 13 {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(name, "/")[2])
		parent, _ := strconv.Atoi(f[1])
		user, _ := strconv.Atoi(f[11])
		system, _ := strconv.Atoi(f[12])
		all[pid] = process{parent, user + system}
	}
	sum := 0
	for pid, p := range all {
		for up := pid; up > 1; up = all[up].parent {
			if up == g.cmd.Process.Pid {
				sum += p.ticks
				break
			}
		}
	}
	return time.Duration(sum) * time.Second / perSecond
}

// kill ends the guest and whatever it started, and waits for the end.
func (g *guest) kill() {
	syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL)
	<-g.ended
}

// await gives a guest its time to print what it was launched for.
func (g *guest) await(seen chan time.Duration, limit time.Duration) (time.Duration, bool) {
	select {
	case d, ok := <-seen:
		return d, ok
	case <-time.After(limit):
		return 0, false
	}
}

// complain tells on the error output why a measurement has no result.
func (g *guest) complain(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fmt.Fprintf(os.Stderr, "measure: %s: %s\n%s%s\n", what, strings.Join(g.cmd.Args, " "), &g.text, &g.errors)
}
