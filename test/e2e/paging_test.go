package e2e

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// monitorSays is what QEMU's monitor for people answers.
func monitorSays(t *testing.T, path, command string) string {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(conn, "{\"execute\": \"qmp_capabilities\"}\n{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": %q}}\n", command)
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var answer struct{ Return any }
		if json.Unmarshal(lines.Bytes(), &answer) == nil {
			if text, ok := answer.Return.(string); ok {
				return text
			}
		}
	}
	t.Fatalf("no answer to %q: %v", command, lines.Err())
	return ""
}

const (
	pageEntryPresent = 1 << 0
	pageEntryWrite   = 1 << 1
	pageEntryLarge   = 1 << 7
	pageEntryNoExec  = 1 << 63
	pageAddress      = 0x000ffffffffff000
)

// pageMapping is what an entry of the last level says.
type pageMapping struct {
	va, pa, bytes uint64
	write, exec   bool
}

// walkTables is every mapping that the tables at root have; memory is the machine's from address 0 on.
func walkTables(memory []byte, root uint64) (found []pageMapping, err error) {
	var walk func(table, va uint64, level uint, write, exec bool)
	walk = func(table, va uint64, level uint, write, exec bool) {
		if table+4096 > uint64(len(memory)) {
			err = fmt.Errorf("a table of level %d at %#x is not in memory", level, table)
			return
		}
		for i := uint64(0); i < 512; i++ {
			e := binary.LittleEndian.Uint64(memory[table+8*i:])
			if e&pageEntryPresent == 0 {
				continue
			}
			at := va | i<<(12+9*level)
			if at>>47 == 1 {
				at |= 0xffff << 48
			}
			w, x := write && e&pageEntryWrite != 0, exec && e&pageEntryNoExec == 0
			if level == 0 || level < 3 && e&pageEntryLarge != 0 {
				bytes := uint64(4096) << (9 * level)
				found = append(found, pageMapping{at, e & pageAddress &^ (bytes - 1), bytes, w, x})
			} else {
				walk(e&pageAddress, at, level-1, w, x)
			}
		}
	}
	walk(root, 0, 3, true, true)
	return found, err
}

// checkMappings: nothing is writable and executable, and what is executable is not writable under any
// other address either; but for the range own, which the program made.
func checkMappings(all []pageMapping, own [2]uint64) error {
	code := map[uint64]uint64{} // frame: where it is executable
	large := 0
	for _, m := range all {
		if m.write && m.exec {
			return fmt.Errorf("%#x is writable and executable", m.va)
		}
		if m.bytes > 4096 && m.va < 1<<47 {
			large++
		}
		for at := uint64(0); m.exec && at < m.bytes; at += 4096 {
			if m.va+at < own[0] || m.va+at >= own[1] {
				code[m.pa+at] = m.va + at
			}
		}
	}
	seen := 0
	for _, m := range all {
		for at := uint64(0); at < m.bytes && m.pa+at < 1<<32; at += 4096 {
			if va, is := code[m.pa+at]; is && m.write {
				return fmt.Errorf("%#x is executable, and its frame is writable at %#x", va, m.va+at)
			} else if is {
				seen++
			}
		}
	}
	// The kernel's text, the program's, and what the direct map shows of both.
	if len(code) < 200 || seen < 2*len(code) {
		return fmt.Errorf("only %d pages of code were found, mapped %d times", len(code), seen)
	}
	if own[1] != 0 && large == 0 {
		return fmt.Errorf("no large page, although the program has touched 16 MiB")
	}
	return nil
}

// TestPageTables reads the tables of the running machine: at the program's start, and when it has
// protected, split and made executable what it mapped. All CPUs have the same tables and control registers.
func TestPageTables(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		dir, err := os.MkdirTemp("", "pages") // short enough for a socket's name
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		monitor, dump := filepath.Join(dir, "qmp"), filepath.Join(dir, "ram")
		stdin, more := io.Pipe()
		j := core("mapped")
		j.stdin, j.memory = stdin, "64M"
		j.flags = []string{"--vmm-arg", "-qmp", "--vmm-arg", "unix:" + monitor + ",server=on,wait=off"}
		p := startMachine(t, c, j)
		for _, line := range []string{"ready\n", "code 0x"} {
			said, err := p.waitLine(p.stdout, line)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond) // the rest of the line
			monitorSays(t, monitor, "stop")
			registers := monitorSays(t, monitor, "info registers -a")
			os.Remove(dump)
			monitorSays(t, monitor, fmt.Sprintf("pmemsave 0 0x4000000 %q", dump))
			monitorSays(t, monitor, "cont")
			memory, err := os.ReadFile(dump)
			if err != nil {
				t.Fatal(err)
			}
			root := sameOnAllCPUs(t, registers, c.cpus)
			all, err := walkTables(memory, root)
			if err != nil {
				t.Fatal(err)
			}
			var own [2]uint64
			if at := strings.Index(said, "code "); at >= 0 {
				fmt.Sscanf(string(p.stdout.bytes())[at:], "code 0x%x 0x%x", &own[0], &own[1])
			}
			if err := checkMappings(all, own); err != nil {
				t.Errorf("after %q, %d mappings: %v", line, len(all), err)
			}
			more.Write([]byte("\n"))
		}
		more.Close()
		if r := p.wait(); r.code != 0 || r.trouble != "" {
			t.Error(r.report())
		}
	})
}

// sameOnAllCPUs: CR0 (but for TS), CR3, CR4 and EFER; the address of the tables is returned.
func sameOnAllCPUs(t *testing.T, registers, cpus string) uint64 {
	t.Helper()
	var root uint64
	for _, name := range []string{"CR0", "CR3", "CR4", "EFER"} {
		values := regexp.MustCompile(name+`=([0-9a-f]+)`).FindAllStringSubmatch(registers, -1)
		if fmt.Sprint(len(values)) != cpus {
			t.Fatalf("%d values of %s on %s CPUs:\n%s", len(values), name, cpus, registers)
		}
		for _, v := range values {
			if v[1] != values[0][1] {
				t.Errorf("%s differs: %s and %s", name, values[0][1], v[1])
			}
		}
		if name == "CR3" {
			root, _ = strconv.ParseUint(values[0][1], 16, 64)
		}
	}
	return root & pageAddress
}

// TestPageTableChecks: what TestPageTables is to find is found, in tables made by hand.
func TestPageTableChecks(t *testing.T) {
	var good []pageMapping
	for page := uint64(0); page < 300; page++ {
		at := 0x400000 + page*4096
		good = append(good, pageMapping{at, at, 4096, false, true}, pageMapping{0xffff888000000000 + at, at, 4096, false, false})
	}
	if err := checkMappings(good, [2]uint64{}); err != nil {
		t.Error(err)
	}
	for what, bad := range map[string]pageMapping{
		"writable and executable": {0x10000000, 0x900000, 4096, true, true},
		"writable at":             {0xffff888000400000, 0x400000, 1 << 21, true, false},
	} {
		if err := checkMappings(append(good[:len(good):len(good)], bad), [2]uint64{}); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	memory := make([]byte, 5*4096)
	put := func(table, index, value uint64) { binary.LittleEndian.PutUint64(memory[table*4096+8*index:], value) }
	put(1, 511, 2<<12|3)                          // writable, executable
	put(2, 0, 3<<12|1)                            // read-only
	put(3, 1, 4<<12|3)                            // the last level below it
	put(3, 2, 0x600000|1<<7|3)                    // 2 MiB
	put(4, 5, uint64(0x700000)|3|pageEntryNoExec) // one page
	all, err := walkTables(memory, 4096)
	for i := 0; i+1 < len(all); i++ {
		if all[i].va > all[i+1].va {
			all[i], all[i+1] = all[i+1], all[i]
		}
	}
	if err != nil || len(all) != 2 || all[0] != (pageMapping{0xffffff8000205000, 0x700000, 4096, false, false}) ||
		all[1] != (pageMapping{0xffffff8000400000, 0x600000, 1 << 21, false, true}) {
		t.Errorf("%+v %v", all, err)
	}
}
