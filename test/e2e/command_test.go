package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ends demands an exit code and an output, and that nothing stays.
func ends(t *testing.T, r result, code int, stdout string) {
	t.Helper()
	if r.code != code || string(r.stdout) != stdout || r.trouble != "" {
		t.Errorf("want exit code %d and %q: %s", code, stdout, r.report())
	}
}

func command(t *testing.T, args ...string) result {
	t.Helper()
	return startCommand(t, nil, 2*time.Minute, args...).wait()
}

// TestImage: what build makes boots, runs on Linux as it is, and tells what is inside.
func TestImage(t *testing.T) {
	c := firstConfig(t)
	image := filepath.Join(t.TempDir(), "hello.img")
	ends(t, command(t, "build", "-o", image, program(c.release, "hello")), 0, "")
	ends(t, command(t, "run", image), 0, "hello, world\n")
	ends(t, command(t, "run", image, "7"), 7, "")
	t.Run("runs_on_Linux", func(t *testing.T) {
		out, err := exec.Command(image).CombinedOutput()
		if err != nil || string(out) != "hello, world\n" {
			t.Errorf("%q %v", out, err)
		}
	})
	t.Run("go_version_reads_it", func(t *testing.T) {
		out, err := exec.Command("go", "version", "-m", image).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "gosolo/progs") {
			t.Errorf("%s %v", out, err)
		}
	})
	t.Run("inspect_tells", func(t *testing.T) {
		r := command(t, "inspect", image)
		if r.code != 0 || !contains(string(r.stdout), "go1.") || !contains(string(r.stdout), "hello") {
			t.Error(r.report())
		}
	})
	t.Run("the_same_again", func(t *testing.T) {
		again := filepath.Join(t.TempDir(), "hello.img")
		ends(t, command(t, "build", "-o", again, program(c.release, "hello")), 0, "")
		a, err := os.ReadFile(image)
		b, err2 := os.ReadFile(again)
		if err != nil || err2 != nil || string(a) != string(b) {
			t.Error("two builds of one program differ", err, err2)
		}
	})
}

// TestImageDefaults: what build was told holds for a run that says nothing else.
func TestImageDefaults(t *testing.T) {
	c := firstConfig(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "note"), []byte("added"), 0o644); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(dir, "core.img")
	ends(t, command(t, "build", "-o", image, "-m", "128M", "-e", "A=from build", "-e", "B=kept",
		"--add", filepath.Join(dir, "note")+":/etc/note", program(c.release, "core")), 0, "")
	ends(t, command(t, "run", image, "env", "A", "B"), 0, "A true \"from build\"\nB true \"kept\"\n")
	ends(t, command(t, "run", "-e", "A=from run", image, "env", "A", "B"), 0, "A true \"from run\"\nB true \"kept\"\n")
	ends(t, command(t, "run", image, "show", "/etc/note"), 0, "/etc/note \"added\" <nil>\n")
}

func TestAddedFiles(t *testing.T) {
	c := firstConfig(t)
	dir := t.TempDir()
	large := pattern(1_000_000)
	for name, data := range map[string][]byte{"a": []byte("file a\n"), "sub/b": []byte("file b\n"), "large": large} {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := command(t, "run", "--add", dir+":/data", "--add", dir+"/a:/one/more", program(c.release, "core"),
		"show", "/data/a", "/data/sub/b", "/one/more", "/data/none", "/data/large")
	ends(t, r, 0, fmt.Sprintf("/data/a \"file a\\n\" <nil>\n/data/sub/b \"file b\\n\" <nil>\n/one/more \"file a\\n\" <nil>\n"+
		"/data/none \"\" open /data/none: no such file or directory\n/data/large %q <nil>\n", large))
}

// TestPackages: run builds what is named as go does, from where it stands.
func TestPackages(t *testing.T) {
	needCommand(t)
	for _, from := range []struct{ dir, arg string }{{".", "./examples/hello"}, {"examples", "./hello"}, {"examples/hello", "."}} {
		t.Run(strings.ReplaceAll(from.dir, "/", "_")+"_"+filepath.Base(from.arg), func(t *testing.T) {
			cmd := exec.Command(gosolo, "run", from.arg)
			cmd.Dir = fromRoot(from.dir)
			ends(t, startOwn(t, cmd, 3*time.Minute).wait(), 0, "hello, world\n")
		})
	}
}

// TestWebServerExample is what the README's first command shows.
func TestWebServerExample(t *testing.T) {
	needCommand(t)
	port := freePort(t)
	cmd := exec.Command(gosolo, "run", "-p", port+":8080", "./examples/httpd")
	cmd.Dir = fromRoot(".")
	p := startOwn(t, cmd, 3*time.Minute)
	if _, err := p.waitLine(p.stdout, "listening on :8080\n"); err != nil {
		t.Fatal(err)
	}
	page, err := get(&http.Client{Timeout: time.Minute}, "http://localhost:"+port+"/")
	if err != nil || !strings.Contains(page, "Go without the operating system") {
		t.Errorf("%q %v", page, err)
	}
	p.signal(syscall.SIGINT)
	ends(t, p.wait(), 0, "listening on :8080\nbye\n")
}

// TestExec: the program finds its directory, its files and its environment.
func TestExec(t *testing.T) {
	c := firstConfig(t)
	dir := t.TempDir()
	os.MkdirAll(filepath.Join(dir, "testdata"), 0o755)
	if err := os.WriteFile(filepath.Join(dir, "testdata", "golden"), []byte("expected"), 0o644); err != nil {
		t.Fatal(err)
	}
	exe := func(args ...string) result {
		cmd := exec.Command(gosolo, append([]string{"exec", program(c.release, "core")}, args...)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "INHERITED=yes")
		return startOwn(t, cmd, 2*time.Minute).wait()
	}
	ends(t, exe("show", "testdata/golden"), 0, "testdata/golden \"expected\" <nil>\n")
	ends(t, exe("env", "INHERITED"), 0, "INHERITED true \"yes\"\n")
	if r := exe("panic"); r.code != 2 {
		t.Error(r.report())
	}
}

// TestGoTestExec: go test -exec runs a package's tests in the machine, with their verdict.
func TestGoTestExec(t *testing.T) {
	c := firstConfig(t)
	dir := source(t, "package broken\n")
	test := "package broken\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\n" +
		"func TestGood(t *testing.T) {}\n\nfunc TestBad(t *testing.T) {\n\tif os.Getenv(\"BAD\") != \"\" {\n\t\tt.Error(\"as asked\")\n\t}\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "main_test.go"), []byte(test), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(env ...string) result {
		cmd := goCommand(c.release, "test", "-count=1", "-v", "-exec", gosolo+" exec", ".")
		cmd.Dir, cmd.Env = dir, append(cmd.Env, env...)
		return startOwn(t, cmd, 3*time.Minute).wait()
	}
	if r := run(); r.code != 0 || !strings.Contains(string(r.stdout), "--- PASS: TestGood") || r.trouble != "" {
		t.Error(r.report())
	}
	if r := run("BAD=1"); r.code != 1 || !strings.Contains(string(r.stdout), "--- FAIL: TestBad") {
		t.Error(r.report())
	}
}

// TestStrace: the calls of the program are told, with arguments, results and times; a filter names calls
// and classes.
func TestStrace(t *testing.T) {
	c := firstConfig(t)
	for _, part := range []struct {
		flag     string
		has, not []string
	}{
		{"--strace", []string{`write(1, "hello, world\n", 13) = 13 <`, "exit_group(0) = ?",
			`openat(AT_FDCWD, "/proc/self/cgroup", O_RDONLY|O_CLOEXEC, 0) = 3 <`,
			"rt_sigaction(SIGHUP, NULL, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8) = 0",
			"PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x"}, []string{"had no room"}},
		{"--strace=write,exit_group", []string{"write(1", "exit_group(0"}, []string{"mmap(", "openat("}},
		{"--strace=%memory", []string{"mmap("}, []string{"write(", "rt_sigaction("}},
		{"--strace=!memory,signal", []string{"write(1", "openat("}, []string{"mmap(", "rt_sigaction("}},
	} {
		t.Run(part.flag, func(t *testing.T) {
			r := command(t, "run", part.flag, program(c.release, "hello"))
			ends(t, r, 0, "hello, world\n")
			for _, s := range part.has {
				if !strings.Contains(string(r.stderr), s) {
					t.Errorf("no %q: %s", s, r.report())
				}
			}
			for _, s := range part.not {
				if strings.Contains(string(r.stderr), " "+s) {
					t.Errorf("%q: %s", s, r.report())
				}
			}
		})
	}
}

// TestStraceChangesNothing: traced programs say what they say on Linux.
func TestStraceChangesNothing(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		for _, name := range []string{"files", "sockets", "epoll", "memory"} {
			t.Run(name, func(t *testing.T) {
				j := job{binary: "abi", args: []string{name}}
				linux := startNative(t, c, j).wait()
				j.flags = []string{"--strace"}
				r := startMachine(t, c, j).wait()
				for _, d := range differences(linux, r, nil, nil) {
					t.Error(d, r.report())
				}
				if !strings.Contains(r.log, "strace: [1] ") || strings.Contains(r.log, "had no room") {
					t.Error("not all is traced:", r.report())
				}
			})
		}
	})
}

func TestStats(t *testing.T) {
	c := firstConfig(t)
	r := command(t, "run", "--stats", program(c.release, "hello"))
	ends(t, r, 0, "hello, world\n")
	for _, line := range []string{`boot +\d+ ns \(\d`, `  network +\d+ ns`, `system call +calls +errors +seconds +us/call`,
		`  write +1 +0 +0\.\d+ +\d`, `page_faults +[1-9]\d*`, `context_switches +\d+`, `net_rx_packets +\d+`,
		`memory_peak +\d{6,} bytes \(`, `uptime +\d+ ns`} {
		if !regexp.MustCompile(`(?m)^` + line).Match(r.stderr) {
			t.Errorf("no line like %q: %s", line, r.report())
		}
	}
}

// TestProcGosolo: the program can read what the kernel knows of itself.
func TestProcGosolo(t *testing.T) {
	c := firstConfig(t)
	names := []string{"stats", "memory", "boot", "log", "version", "calls", "trace"}
	args := []string{"run", program(c.release, "core"), "show"}
	for _, name := range names {
		args = append(args, "/proc/gosolo/"+name)
	}
	r := command(t, args...)
	lines := strings.Split(string(r.stdout), "\n")
	for i, want := range []string{`syscalls [1-9]\d*\\n.*uptime_ns \d+`, `total_bytes \d+\\n.*peak_bytes \d+.*table_pages [1-9].*objects_of_128 [1-9]`,
		`boot\.network \d+ ns`, `net: address `, `gosolo \d.*\\nbuild [0-9a-f]{16}\\nprogram core\\ngo go1\.`,
		`call\.openat \d+ calls`, `\d\.\d{6} cpu 0 page fault at 0x.*cpu 0 switch from thread \d+ to \d`} {
		if r.code != 0 || i >= len(lines) || !regexp.MustCompile(`^/proc/gosolo/`+names[i]+` ".*`+want).MatchString(lines[i]) {
			t.Errorf("%s: want %q: %s", names[i], want, r.report())
		}
	}
}

func TestDryRun(t *testing.T) {
	c := firstConfig(t)
	r := command(t, "run", "--dry-run", "-m", "99M", program(c.release, "hello"))
	if r.code != 0 || r.trouble != "" || !contains(string(r.stdout), "qemu-system-x86_64") || !contains(string(r.stdout), "99M") {
		t.Error(r.report())
	}
}

// TestRoomForASecondCPU: with one CPU and no room for another TCG drops the barriers that keep
// notifications of devices from getting lost (cli/qemu.c).
func TestRoomForASecondCPU(t *testing.T) {
	c := firstConfig(t)
	for cpus, want := range map[string]string{"1": " -smp 1,maxcpus=2,sockets=2 ", "2": " -smp 2 "} {
		r := command(t, "run", "--dry-run", "--accel", "tcg", "-c", cpus, program(c.release, "hello"))
		if r.code != 0 || r.trouble != "" || !contains(string(r.stdout), want) {
			t.Errorf("%s CPUs, wanted%s: %s", cpus, want, r.report())
		}
	}
}

func TestWithoutNetwork(t *testing.T) {
	c := firstConfig(t)
	ends(t, command(t, "run", "--net", "none", program(c.release, "web"), "localhost"), 0, "[127.0.0.1] <nil>\nhello <nil>\n")
}

// TestVersionAndHelp: both work without anything else being there.
func TestVersionAndHelp(t *testing.T) {
	needCommand(t)
	t.Setenv("PATH", "/nonexistent")
	for _, args := range [][]string{{"version"}, {"help"}, {"help", "run"}, {"help", "build"}, {"help", "exec"},
		{"help", "inspect"}, {"help", "doctor"}, {"help", "version"}, {"help", "help"}} {
		if r := command(t, args...); r.code != 0 || len(r.stdout) == 0 || len(r.stderr) != 0 {
			t.Error(args, r.report())
		}
	}
}

// TestFullDisk: text that could not be written is a failure, however much of it there was.
func TestFullDisk(t *testing.T) {
	image := filepath.Join(t.TempDir(), "hello.img")
	ends(t, command(t, "build", "-o", image, program(firstConfig(t).release, "hello")), 0, "")
	for _, args := range [][]string{{"version"}, {"help", "run"}, {"inspect", "--files", image}, {"run", "--dry-run", image}} {
		cmd := exec.Command("sh", append([]string{"-c", `exec "$0" "$@" >/dev/full`, gosolo}, args...)...)
		if r := startOwn(t, cmd, time.Minute).wait(); r.code != 125 || !contains(string(r.stderr), "cannot be written") {
			t.Error(args, r.report())
		}
	}
}

// TestFewDescriptors: where there are too few of them, that is what the one line says, and what to do.
func TestFewDescriptors(t *testing.T) {
	hello := program(firstConfig(t).release, "hello")
	good := 0
	for limit := 8; limit <= 40; limit += 2 {
		cmd := exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" run --accel tcg "$1"`, limit), gosolo, hello)
		r := startOwn(t, cmd, time.Minute).wait()
		if r.code == 0 && r.trouble == "" {
			good++
		} else if err := oneLine(r, "raise that (ulimit -n)"); err != nil || r.code != 125 {
			t.Errorf("%d descriptors: %v", limit, err)
		}
	}
	if good == 0 {
		t.Error("40 are too few")
	}
}

// TestIgnoredChildren: a parent that does not want to hear of its children passes that on to ours.
func TestIgnoredChildren(t *testing.T) {
	needCommand(t)
	cmd := exec.Command("sh", "-c", `trap "" CHLD; exec "$0" run ./examples/hello`, gosolo)
	cmd.Dir = fromRoot(".")
	ends(t, startOwn(t, cmd, 3*time.Minute).wait(), 0, "hello, world\n")
}

// TestDoctor: where QEMU and Go are, all is well; without QEMU it says what to do.
func TestDoctor(t *testing.T) {
	needCommand(t)
	if r := command(t, "doctor"); r.code != 0 || !contains(string(r.stdout), "qemu") {
		t.Error(r.report())
	}
	t.Setenv("PATH", "/nonexistent")
	if r := command(t, "doctor"); r.code == 0 || !contains(string(r.stdout)+string(r.stderr), "apt-get install") {
		t.Error(r.report())
	}
}
