package e2e

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

func countLines(text string) int {
	return strings.Count(strings.TrimSuffix(text, "\n"), "\n") + 1
}

// refused runs the command and demands a code, one line that says certain words, no output, and
// nothing left behind.
func refused(t *testing.T, args []string, code int, says ...string) {
	t.Helper()
	r := startCommand(t, nil, time.Minute, args...).wait()
	if r.code != code || len(r.stdout) != 0 || r.trouble != "" {
		t.Errorf("want exit code %d, no output, nothing left: %s", code, r.report())
	}
	if err := oneLine(r, says...); err != nil {
		t.Error(err)
	}
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func helloBytes(t *testing.T, c config) []byte {
	t.Helper()
	b, err := os.ReadFile(program(c.release, "hello"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// buildHello builds the hello program in an unusual way; a way that this machine cannot go skips.
func buildHello(t *testing.T, release string, env []string, flags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "hello")
	cmd := goCommand(release, append(append([]string{"build", "-o", out}, flags...), ".")...)
	cmd.Dir = fromRoot("test/progs/hello")
	cmd.Env = append(cmd.Env, env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("SKIP: cannot be built here: %v\n%s", err, text)
	}
	return out
}

// source makes a module of one file.
func source(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string]string{"go.mod": "module broken\n\ngo 1.22\n", "main.go": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBinariesThatCannotBeUsed(t *testing.T) {
	c := firstConfig(t)
	t.Run("a_file_that_is_not_there", func(t *testing.T) {
		refused(t, []string{"run", "/nowhere/at-all"}, 127, "/nowhere/at-all")
	})
	t.Run("a_directory_without_Go_files", func(t *testing.T) {
		r := startCommand(t, nil, time.Minute, "run", t.TempDir()).wait()
		if r.code != 126 && r.code != 127 || len(r.stdout) != 0 || len(r.stderr) == 0 || r.trouble != "" {
			t.Error(r.report())
		}
	})
	t.Run("text", func(t *testing.T) {
		refused(t, []string{"run", write(t, "text", []byte("#!/bin/sh\necho no\n"))}, 126, "ELF")
	})
	t.Run("an_empty_file", func(t *testing.T) {
		refused(t, []string{"run", write(t, "empty", nil)}, 126, "empty")
	})
	t.Run("wrong_architecture", func(t *testing.T) {
		refused(t, []string{"run", buildHello(t, c.release, []string{"GOARCH=arm64"})}, 126, "amd64")
	})
	t.Run("wrong_architecture_32_bit", func(t *testing.T) {
		refused(t, []string{"run", buildHello(t, c.release, []string{"GOARCH=386"})}, 126, "amd64")
	})
	t.Run("a_PIE_says_how_to_rebuild", func(t *testing.T) {
		refused(t, []string{"run", buildHello(t, c.release, nil, "-buildmode=pie")}, 126, "position-independent", "go build")
	})
	t.Run("a_cgo_binary_says_how_to_rebuild", func(t *testing.T) {
		if _, err := exec.LookPath("gcc"); err != nil {
			t.Skip("SKIP: no C compiler")
		}
		dir := source(t, "package main\n\n// int one(void) { return 1; }\nimport \"C\"\n\nfunc main() { println(C.one()) }\n")
		cmd := goCommand(c.release, "build", "-o", "cgo", ".")
		cmd.Dir, cmd.Env = dir, append(cmd.Env, "CGO_ENABLED=1")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("SKIP: cannot be built here: %v\n%s", err, text)
		}
		refused(t, []string{"run", filepath.Join(dir, "cgo")}, 126, "cgo", "CGO_ENABLED=0")
	})
	t.Run("a_C_program", func(t *testing.T) {
		refused(t, []string{"run", "/bin/true"}, 126)
	})
	t.Run("linked_where_the_kernel_lives", func(t *testing.T) {
		refused(t, []string{"run", buildHello(t, c.release, nil, "-ldflags=-T 0x201000")}, 126, "kernel")
	})
	t.Run("packed_by_UPX", func(t *testing.T) {
		refused(t, []string{"run", write(t, "packed", upx(helloBytes(t, c)))}, 126, "upx -d")
	})
	t.Run("Go_too_old", func(t *testing.T) {
		dir := source(t, "package main\n\nfunc main() { println(\"old\") }\n")
		os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module old\n\ngo 1.21\n"), 0o644)
		cmd := goCommand("go1.21.13", "build", "-o", "old", ".")
		cmd.Dir = dir
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("SKIP: go1.21.13 cannot be had here: %v\n%s", err, text)
		}
		refused(t, []string{"run", filepath.Join(dir, "old")}, 126, "go1.21.13", "1.22")
	})
	t.Run("a_package_that_does_not_compile", func(t *testing.T) {
		r := startCommand(t, nil, time.Minute, "run", source(t, "package main\n\nfunc main() { undefined() }\n")).wait()
		if r.code != 126 || len(r.stdout) != 0 || r.trouble != "" || !contains(string(r.stderr), "main.go:3:15: undefined: undefined") {
			t.Error("want 126 and Go's own error:", r.report())
		}
	})
	t.Run("a_package_that_is_not_main", func(t *testing.T) {
		refused(t, []string{"run", source(t, "package lib\n")}, 126, "main")
	})
}

// upx makes what UPX leaves of a binary: no section headers, its mark near the start.
func upx(b []byte) []byte {
	b = append([]byte(nil), b...)
	binary.LittleEndian.PutUint64(b[40:], 0) // e_shoff
	binary.LittleEndian.PutUint16(b[60:], 0) // e_shnum
	binary.LittleEndian.PutUint16(b[62:], 0) // e_shstrndx
	copy(b[0x2e0:], "UPX!")
	return b
}

// Offsets in the ELF header and in a program header.
const (
	ehClass, ehData, ehType, ehMachine = 4, 5, 16, 18
	ehEntry, ehPhoff, ehShoff          = 24, 32, 40
	ehPhentsize, ehPhnum, ehShentsize  = 54, 56, 58
	ehShnum, ehShstrndx                = 60, 62
	phType, phFlags, phOffset, phVaddr = 0, 4, 8, 16
	phFilesz, phMemsz, phAlign         = 32, 40, 48
)

// TestCorruptELF: every header field that matters, made wrong, is refused in one line.
func TestCorruptELF(t *testing.T) {
	c := firstConfig(t)
	good := helloBytes(t, c)
	load := -1
	f, err := elf.Open(program(c.release, "hello"))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range f.Progs {
		if p.Type == elf.PT_LOAD && load < 0 {
			load = 64 + 56*i
		}
	}
	f.Close()
	le := binary.LittleEndian
	cases := []struct {
		name   string
		change func(b []byte) []byte
	}{
		{"class_32", func(b []byte) []byte { b[ehClass] = 1; return b }},
		{"big_endian", func(b []byte) []byte { b[ehData] = 2; return b }},
		{"relocatable", func(b []byte) []byte { le.PutUint16(b[ehType:], 1); return b }},
		{"core_file", func(b []byte) []byte { le.PutUint16(b[ehType:], 4); return b }},
		{"machine_0", func(b []byte) []byte { le.PutUint16(b[ehMachine:], 0); return b }},
		{"entry_0", func(b []byte) []byte { le.PutUint64(b[ehEntry:], 0); return b }},
		{"entry_in_nowhere", func(b []byte) []byte { le.PutUint64(b[ehEntry:], 1<<40); return b }},
		{"program_headers_behind_the_end", func(b []byte) []byte { le.PutUint64(b[ehPhoff:], 1<<40); return b }},
		{"program_headers_wrap", func(b []byte) []byte { le.PutUint64(b[ehPhoff:], ^uint64(0)-8); return b }},
		{"program_header_size", func(b []byte) []byte { le.PutUint16(b[ehPhentsize:], 8); return b }},
		{"no_program_headers", func(b []byte) []byte { le.PutUint16(b[ehPhnum:], 0); return b }},
		{"65535_program_headers", func(b []byte) []byte { le.PutUint16(b[ehPhnum:], 65535); return b }},
		{"section_headers_behind_the_end", func(b []byte) []byte { le.PutUint64(b[ehShoff:], 1<<40); return b }},
		{"section_header_size", func(b []byte) []byte { le.PutUint16(b[ehShentsize:], 1); return b }},
		{"segment_behind_the_end", func(b []byte) []byte { le.PutUint64(b[load+phOffset:], 1<<40); return b }},
		{"segment_offset_wraps", func(b []byte) []byte { le.PutUint64(b[load+phOffset:], ^uint64(0)-4095); return b }},
		{"segment_too_long", func(b []byte) []byte { le.PutUint64(b[load+phFilesz:], 1<<40); return b }},
		{"segment_smaller_than_its_file", func(b []byte) []byte { le.PutUint64(b[load+phMemsz:], 16); return b }},
		{"segment_address_wraps", func(b []byte) []byte { le.PutUint64(b[load+phVaddr:], ^uint64(0)-4095); return b }},
		{"segment_memory_huge", func(b []byte) []byte { le.PutUint64(b[load+phMemsz:], 1<<50); return b }},
		{"segment_at_0", func(b []byte) []byte { le.PutUint64(b[load+phVaddr:], 0); return b }},
		{"segment_not_congruent", func(b []byte) []byte { le.PutUint64(b[load+phVaddr:], 0x400123); return b }},
		{"segment_writable_and_executable", func(b []byte) []byte { le.PutUint32(b[load+phFlags:], 7); return b }},
		{"text_not_executable", func(b []byte) []byte { le.PutUint32(b[load+phFlags:], 4); return b }},
		{"no_segments", func(b []byte) []byte {
			for i := 0; i < int(le.Uint16(b[ehPhnum:])); i++ {
				le.PutUint32(b[64+56*i+phType:], 0x60000000)
			}
			return b
		}},
		{"cut_in_the_magic", func(b []byte) []byte { return b[:3] }},
		{"cut_in_the_header", func(b []byte) []byte { return b[:40] }},
		{"cut_behind_the_header", func(b []byte) []byte { return b[:64] }},
		{"cut_in_the_program_headers", func(b []byte) []byte { return b[:150] }},
		{"cut_in_the_text", func(b []byte) []byte { return b[:len(b)/4] }},
		{"cut_in_the_data", func(b []byte) []byte { return b[:len(b)/2] }},
	}
	for _, m := range cases {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			refused(t, []string{"run", write(t, "hello", m.change(append([]byte(nil), good...)))}, 126)
		})
	}
}

func TestCommandLine(t *testing.T) {
	c := firstConfig(t)
	hello := program(c.release, "hello")
	cases := []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"unknown_flag", []string{"run", "--no-such-flag", hello}, 125, []string{"--no-such-flag"}},
		{"unknown_flag_of_build", []string{"build", "--no-such-flag", hello}, 125, []string{"--no-such-flag"}},
		{"unknown_command", []string{"no-such-command"}, 125, []string{"no-such-command"}},
		{"no_program", []string{"run"}, 125, nil},
		{"flag_without_its_value", []string{"run", "-m"}, 125, []string{"-m"}},
		{"memory_that_is_not_a_size", []string{"run", "-m", "lots", hello}, 125, []string{"lots"}},
		{"no_CPUs", []string{"run", "-c", "0", hello}, 125, []string{"-c"}},
		{"a_thousand_CPUs", []string{"run", "-c", "1000", hello}, 125, []string{"-c", "64"}},
		{"65_CPUs", []string{"run", "-c", "65", hello}, 125, []string{"-c", "64"}},
		{"CPUs_in_words", []string{"run", "-c", "two", hello}, 125, []string{"-c", "two"}},
		{"CPUs_with_a_unit", []string{"run", "-c", "2x", hello}, 125, []string{"-c", "2x"}},
		{"CPUs_beyond_64_bits", []string{"run", "-c", "18446744073709551617", hello}, 125, []string{"-c"}},
		{"CPUs_left_empty", []string{"run", "-c", "", hello}, 125, []string{"-c"}},
		{"minus_one_CPU", []string{"run", "-c", "-1", hello}, 125, []string{"-c"}},
		{"port_that_is_none", []string{"run", "-p", "99999:80", hello}, 125, []string{"99999"}},
		{"port_of_an_unknown_protocol", []string{"run", "-p", "8080:80/sctp", hello}, 125, []string{"sctp"}},
		{"port_without_guest", []string{"run", "-p", "8080", hello}, 125, []string{"8080"}},
		{"environment_without_value", []string{"run", "-e", "=x", hello}, 125, []string{"-e"}},
		{"timeout_that_is_none", []string{"run", "--timeout", "soon", hello}, 125, []string{"soon"}},
		{"machine_that_is_none", []string{"run", "--machine", "vax", hello}, 125, []string{"vax"}},
		{"accelerator_that_is_none", []string{"run", "--accel", "magic", hello}, 125, []string{"magic"}},
		{"trace_of_a_call_that_is_none", []string{"run", "--strace=write,no_such_call", hello}, 125, []string{"no_such_call"}},
		{"trace_of_a_class_that_is_none", []string{"run", "--strace=!%futex", hello}, 125, []string{"%futex"}},
		{"unreadable_added_file", []string{"build", "-o", "/dev/null", "--add", "/no/such/file:/x", hello}, 125, []string{"/no/such/file"}},
		{"output_that_cannot_be_written", []string{"build", "-o", "/no/such/dir/image", hello}, 125, []string{"/no/such/dir/image"}},
		{"image_too_big_for_the_memory", []string{"run", "-m", "4M", hello}, 125, []string{"-m"}},
		{"memory_that_no_host_has", []string{"run", "-m", "900T", hello}, 125, nil},
		{"inspect_what_is_no_image", []string{"inspect", "/etc/hostname"}, 126, nil},
	}
	for _, b := range cases {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			refused(t, b.args, b.code, b.says...)
		})
	}
}

func TestPortInUse(t *testing.T) {
	c := firstConfig(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	refused(t, []string{"run", "-p", "127.0.0.1:" + port + ":80", program(c.release, "hello")}, 125, port)
}

// TestPortIsFreeAfterwards: what a run published, the next can publish.
func TestPortIsFreeAfterwards(t *testing.T) {
	c := firstConfig(t)
	port := freePort(t)
	for i := 0; i < 2; i++ {
		j := job{binary: "hello", flags: []string{"-p", port + ":80"}}
		if r := startMachine(t, c, j).wait(); r.code != 0 || r.trouble != "" {
			t.Error(r.report())
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestMissingQEMU(t *testing.T) {
	c := firstConfig(t)
	t.Setenv("PATH", "/nonexistent")
	refused(t, []string{"run", program(c.release, "hello")}, 125, "qemu")
}

// TestGuestThatNeverSaysHello: a machine whose CPU is never started runs into --timeout.
func TestGuestThatNeverSaysHello(t *testing.T) {
	c := firstConfig(t)
	start := time.Now()
	refused(t, []string{"run", "--timeout", "2s", "--vmm-arg", "-S", program(c.release, "hello")}, 125, "timeout")
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestKernelThatHangs is the same with a CPU that spins in the kernel.
func TestKernelThatHangs(t *testing.T) {
	c := firstConfig(t)
	args := []string{"run", "--timeout", "2s", "--kernel-arg", "selftest=hang", program(c.release, "hello")}
	r := startCommand(t, nil, time.Minute, args...).wait()
	if r.code != 125 || len(r.stdout) != 0 || r.trouble != "" {
		t.Error(r.report())
	}
	for _, part := range []string{"has not said hello after 2 s (--timeout)", "asked for by an NMI", " selftest_early+0x"} {
		if !strings.Contains(string(r.stderr), part) {
			t.Errorf("no %q: %s", part, r.report())
		}
	}
}

// TestLostMachine: what the kernel had logged, and could not tell, is read from the machine's memory.
func TestLostMachine(t *testing.T) {
	c := firstConfig(t)
	j := core("wait")
	j.flags = []string{"--kernel-arg", "selftest=reset"}
	r := startMachine(t, c, j).wait()
	if r.code != 125 || r.trouble != "" || !strings.Contains(string(r.stderr), "without saying how") ||
		!strings.Contains(string(r.stderr), "words that nobody was told") ||
		strings.Count(string(r.stderr), "net: address") != 1 {
		t.Error(r.report())
	}
}

// TestKernelFault: the report names the program and its Go, the registers, and both stacks.
func TestKernelFault(t *testing.T) {
	c := firstConfig(t)
	j := core("wait")
	j.flags = []string{"--kernel-arg", "selftest=fault"}
	r := startMachine(t, c, j).wait()
	if r.code != 125 || r.trouble != "" {
		t.Errorf("want 125: %s", r.report())
	}
	report := string(r.stderr) + r.log
	for _, part := range []string{"core", "go1.", "rip", "rsp", "build ", "kernel stack:", " fault_now+0x",
		" kernel_handle_timer+0x", "Go stack:", " runtime.", "cpu 0 interrupt, vector 240", "switch from thread"} {
		if !contains(report, part) {
			t.Errorf("the report does not say %q: %s", part, r.report())
		}
	}
}

// TestReadOnlyEverywhere: text and constants cannot be written through the direct map either.
func TestReadOnlyEverywhere(t *testing.T) {
	c := firstConfig(t)
	for _, what := range []string{"alias-text", "alias-kernel", "alias-constants"} {
		t.Run(what, func(t *testing.T) {
			j := core("wait")
			j.flags = []string{"--kernel-arg", "selftest=" + what}
			r := startMachine(t, c, j).wait()
			report := string(r.stderr) + r.log
			if r.code != 125 || r.trouble != "" || !contains(report, " fault_now+0x") || contains(report, "could be written") {
				t.Error(r.report())
			}
		})
	}
}

// TestVMMThatFails: QEMU's own error is told, in one line.
func TestVMMThatFails(t *testing.T) {
	c := firstConfig(t)
	refused(t, []string{"run", "--vmm-arg", "-no-such-option", program(c.release, "hello")}, 125, "no-such-option")
}
