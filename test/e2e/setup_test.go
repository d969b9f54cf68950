// Package e2e runs Go programs twice, on this Linux and in a machine that the gosolo command
// starts, and compares their output, their error output and their exit codes.
//
// Parameters, all by environment:
//
//	GOSOLO          the command (default: build/gosolo of this tree)
//	GOSOLO_GO       Go releases to build the programs with, "go1.22.0 local" (default: local)
//	GOSOLO_CPUS     numbers of CPUs to test with, "1 2" (default: 1)
//	GOSOLO_MACHINE  the machine type to ask for (default: the command's own)
//	GOSOLO_LOAD     how long TestSmallServer asks, "60s" (default: 5s)
//	GOSOLO_OUTAGE   how long the wire is cut in TestWireOutage, "60s" (default: 6s)
//	GOSOLO_PCAP     folder for captures of what the tests' wires carry (default: none are kept)
//	GOSOLO_SOAK     how many times as long the stress tests take (default: 1)
//	GOSOLO_STORM    how often TestConformance disturbs each thread by a signal, "1ms" (default: not at all)
//	OUT             folder for what is built (default: build of this tree)
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func setting(name, def string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return def
}

// fromRoot makes a path that is relative to the root of the tree absolute.
func fromRoot(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	abs, err := filepath.Abs(filepath.Join("..", "..", path))
	if err != nil {
		panic(err)
	}
	return abs
}

var (
	outDir  = fromRoot(setting("OUT", "build"))
	gosolo  = fromRoot(setting("GOSOLO", filepath.Join(outDir, "gosolo")))
	machine = os.Getenv("GOSOLO_MACHINE")
)

// TestMain undoes nohup: a signal that we ignore, all that we start would ignore.
func TestMain(m *testing.M) {
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	os.Exit(m.Run())
}

// config is one combination that programs are tested with.
type config struct {
	release string // as GOTOOLCHAIN names it
	cpus    string
}

func (c config) String() string { return fmt.Sprintf("%s/%s_cpu", c.release, c.cpus) }

// eachConfig runs f for every Go release and number of CPUs that was asked for.
func eachConfig(t *testing.T, f func(t *testing.T, c config)) {
	needCommand(t)
	for _, release := range strings.Fields(setting("GOSOLO_GO", "local")) {
		for _, cpus := range strings.Fields(setting("GOSOLO_CPUS", "1")) {
			c := config{release, cpus}
			t.Run(c.String(), func(t *testing.T) {
				needPrograms(t, release)
				f(t, c)
			})
		}
	}
}

// firstConfig is for tests where neither release nor CPUs matter.
func firstConfig(t *testing.T) config {
	needCommand(t)
	c := config{strings.Fields(setting("GOSOLO_GO", "local"))[0], strings.Fields(setting("GOSOLO_CPUS", "1"))[0]}
	needPrograms(t, c.release)
	return c
}

func needCommand(t *testing.T) {
	if _, err := os.Stat(gosolo); err != nil {
		t.Fatalf("the command is not there (run make first): %v", err)
	}
}

// goCommand is the go command of a release, set up to build what runs in the machine.
func goCommand(release string, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN="+release, "CGO_ENABLED=0", "GOOS=linux",
		"GOARCH=amd64", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	return cmd
}

var (
	buildLock sync.Mutex
	built     = map[string]error{}  // release -> how the build went; nil: built
	missing   = map[string]string{} // release -> why it cannot be had
)

// needPrograms builds the guest programs with a release, once. A release that cannot be had (no
// network, say) skips the test.
func needPrograms(t *testing.T, release string) {
	buildLock.Lock()
	defer buildLock.Unlock()
	if _, tried := built[release]; !tried {
		built[release] = buildPrograms(release)
	}
	if why := missing[release]; why != "" {
		t.Skipf("SKIP: %s cannot be had here: %s", release, why)
	}
	if err := built[release]; err != nil {
		t.Fatal(err)
	}
}

func programDir(release string) string { return filepath.Join(outDir, "e2e", release) }

func program(release, name string) string { return filepath.Join(programDir(release), name) }

func buildPrograms(release string) error {
	if out, err := goCommand(release, "version").CombinedOutput(); err != nil {
		missing[release] = strings.TrimSpace(string(out))
		return nil
	}
	dir := programDir(release)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, module := range []string{"test/progs", "test/abi", "test/conformance"} {
		cmd := goCommand(release, "build", "-trimpath", "-o", dir+"/", "./...")
		cmd.Dir = fromRoot(module)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s with %s: %v\n%s", module, release, err, out)
		}
	}
	return nil
}
