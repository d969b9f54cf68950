package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestHarnessFindsDifferences: the comparison itself is tested, with a command that runs programs
// on Linux and spoils what FAKE names.
func TestHarnessFindsDifferences(t *testing.T) {
	c := config{strings.Fields(setting("GOSOLO_GO", "local"))[0], "1"}
	needPrograms(t, c.release)
	defer func(old string) { gosolo = old }(gosolo)
	gosolo = fromRoot("test/e2e/testdata/fake-gosolo")
	for spoil, want := range map[string]string{
		"":       "",
		"stdout": "stdout: 13 bytes on Linux, 17 in the machine, other from byte 13",
		"stderr": "stderr: 0 bytes on Linux, 5 in the machine",
		"code":   "exit code: 0 on Linux, 3 in the machine",
		"file":   "left behind: file forgotten",
		"hang":   "timed out",
		"stay":   "left behind: process",
	} {
		t.Run("spoiled_"+spoil, func(t *testing.T) {
			t.Setenv("FAKE", spoil)
			j := job{binary: "hello", timeout: 3 * time.Second}
			linux := startNative(t, c, j).wait()
			list := differences(linux, startMachine(t, c, j).wait(), nil, nil)
			if got := strings.Join(list, "\n"); (want == "") != (got == "") || !strings.Contains(got, want) {
				t.Errorf("want %q, got %q", want, got)
			}
		})
	}
}

func TestTracebackFilter(t *testing.T) {
	text := "panic: oops\n\ngoroutine 7 [running]:\nmain.f({0xc00001, 0x7ffd12345678?})\n\t/a.go:5 +0x1d\n" +
		"created by main.g in goroutine 1\n\t/a.go:9 +0x2\n\ngoroutine 9 [select]:\nmore\n"
	want := "panic: oops\n\ngoroutine N [running]:\nmain.f(...)\n\t/a.go:5 +0x1d\n" +
		"created by main.g in goroutine N\n\t/a.go:9 +0x2\n"
	if got := string(traceback([]byte(text))); got != want {
		t.Errorf("got %q", got)
	}
}
