package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// vmmPid is the process that the gosolo command p started.
func vmmPid(t *testing.T, p *running) int {
	t.Helper()
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
	for _, list := range lists {
		var pid int
		if text, err := os.ReadFile(list); err == nil {
			if n, _ := fmt.Sscan(string(text), &pid); n == 1 {
				return pid
			}
		}
	}
	t.Fatal("the command has no child")
	return 0
}

func residentMiB(t *testing.T, pid int) int {
	t.Helper()
	var all, resident int
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err == nil {
		_, err = fmt.Sscan(string(text), &all, &resident)
	}
	if err != nil {
		t.Fatal(err)
	}
	return resident * os.Getpagesize() >> 20
}

// TestMemoryGoesBackToTheHost: what the program gives up, the VMM's process gives up.
func TestMemoryGoesBackToTheHost(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		const fill, want = 150, 110 // MiB; blocks of 2 MiB of which a page is in use stay
		stdin, steps := io.Pipe()
		p := startMachine(t, c, job{binary: "core", args: []string{"give-back", fmt.Sprint(fill)}, memory: "320M",
			stdin: stdin, flags: []string{"--stats"}})
		at := func(name string) int {
			t.Helper()
			if _, err := p.waitLine(p.stdout, name+"\n"); err != nil {
				t.Fatal(err)
			}
			return residentMiB(t, vmmPid(t, p))
		}
		empty := at("empty")
		fmt.Fprintln(steps)
		full := at("full")
		if full < empty+fill-10 {
			t.Errorf("%d MiB in use before, %d MiB after %d MiB were filled", empty, full, fill)
		}
		fmt.Fprintln(steps)
		least := at("free")
		for end := time.Now().Add(30 * time.Second); least > full-want && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			least = min(least, at("free"))
		}
		t.Logf("resident: %d MiB at first, %d MiB full, %d MiB after giving back", empty, full, least)
		if least > full-want {
			t.Errorf("of %d MiB that were given up %d MiB went back to the host", fill, full-least)
		}
		fmt.Fprintln(steps)
		steps.Close() // or the command is not over: somebody copies to its input
		r := p.wait()
		if r.code != 0 || r.trouble != "" || !bytes.HasSuffix(r.stdout, []byte("full again\n")) {
			t.Error(r.report())
		}
	})
}

// inNamespace makes a network namespace with a TAP interface tap0 (10.77.0.1/24) in it, and returns
// what starts a command there. It needs root and /dev/net/tun.
func inNamespace(t *testing.T, tapFlags ...string) func(args ...string) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making a TAP interface needs root")
	}
	name := fmt.Sprintf("gosolo-test-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made here: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() })
	for _, args := range [][]string{
		append([]string{"tuntap", "add", "tap0", "mode", "tap"}, tapFlags...),
		{"addr", "add", "10.77.0.1/24", "dev", "tap0"}, {"link", "set", "tap0", "up", "mtu", "1400"},
	} {
		if out, err := exec.Command("ip", append([]string{"-n", name}, args...)...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v %s", strings.Join(args, " "), err, out)
		}
	}
	return func(args ...string) *exec.Cmd { // "ip netns exec" shows the namespace's own /sys
		return exec.Command("ip", append([]string{"netns", "exec", name}, args...)...)
	}
}

// TestSeveralQueues: a TAP interface with several queues is used with as many as there are CPUs,
// bytes of many connections arrive whole, and device interrupts are not all the first CPU's.
func TestSeveralQueues(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		command := inNamespace(t, "multi_queue")
		log := filepath.Join(t.TempDir(), "kernel.log")
		p := startOwn(t, command(gosolo, "run", "-c", c.cpus, "--net", "tap=tap0", "--ip", "10.77.0.2/24", "--log", log,
			program(c.release, "web"), "tcp-echo", ":7000", "/proc/interrupts"), 2*time.Minute)
		if _, err := p.waitLine(p.stdout, "listening\n"); err != nil {
			t.Fatal(err)
		}
		var clients []*running
		for i := 0; i < 8; i++ {
			clients = append(clients, startOwn(t, command(program(c.release, "web"), "tcp-client", "10.77.0.2:7000", "1500000"), time.Minute))
		}
		for _, client := range clients {
			ends(t, client.wait(), 0, "echoed 1500000 true <nil>\n")
		}
		if out, err := command("bash", "-c", `printf "quit\n" >/dev/tcp/10.77.0.2/7000`).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		r := p.wait()
		text, _ := os.ReadFile(log)
		if r.code != 0 || r.trouble != "" {
			t.Fatalf("%s\n%s", r.report(), text)
		}
		cpus, _ := strconv.Atoi(c.cpus)
		if want := fmt.Sprintf("%d pairs of queues", cpus); cpus > 1 && !bytes.Contains(text, []byte(want)) {
			t.Errorf("the log does not say %q: %s", want, text)
		}
		total := make([]int, cpus)
		for _, line := range strings.Split(string(r.stdout), "\n") {
			fields := strings.Fields(line)
			if len(fields) < cpus+2 || !strings.Contains(line, "IO-APIC") {
				continue
			}
			for i := range total {
				n, err := strconv.Atoi(fields[1+i])
				if err != nil {
					t.Errorf("/proc/interrupts: %q", line)
				}
				total[i] += n
			}
		}
		t.Logf("device interrupts of each CPU: %v", total)
		for i, n := range total {
			if n == 0 {
				t.Errorf("CPU %d took none of the device interrupts %v", i, total)
			}
		}
	})
}

// TestUrgentWithLinux: urgent bytes go to Linux and come from it as between two programs there.
func TestUrgentWithLinux(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		command := inNamespace(t)
		web := program(c.release, "web")
		want := "before it 0 true\nevents 2 errno 0\nat the mark 1 errno 0\nurgent \"!\" <nil>\nbehind it \"behind\"\n" +
			"before it 100000 true\nevents 2 errno 0\nat the mark 1 errno 0\nurgent \"!\" <nil>\nbehind it \"behind\"\n" +
			"the end 0 <nil>\n"
		talk := func(server *running, client ...string) {
			t.Helper()
			if _, err := server.waitLine(server.stdout, "listening\n"); err != nil {
				t.Fatal(err)
			}
			ends(t, startOwn(t, command(client...), time.Minute).wait(), 0, want)
			ends(t, server.wait(), 0, "listening\n"+want)
		}
		if out, err := command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		native := startOwn(t, command(web, "urgent-listen", "10.77.0.1:7000"), time.Minute)
		talk(native, web, "urgent-dial", "10.77.0.1:7000")
		machine := startOwn(t, command(gosolo, "run", "-c", c.cpus, "--net", "tap=tap0", "--ip", "10.77.0.2/24",
			web, "urgent-listen", ":7000"), 2*time.Minute)
		talk(machine, web, "urgent-dial", "10.77.0.2:7000")
	})
}
