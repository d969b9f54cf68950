package real

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The examples that need more than the standard library, or somebody to talk to.

func TestExampleREPL(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		s.input = "echo one  two\n\nnonsense\nhelp\nls /nowhere\nuptime\nexit\necho never\n"
		p := s.start(t, "repl")
		code := p.wait(t)
		out := regexp.MustCompile(`[0-9.]+m?s\n`).ReplaceAllString(p.stdout.String(), "TIME\n")
		want := "> one two\n> > no command \"nonsense\"; try help\n> cpus echo exit help ls memory uptime\n" +
			"> open /nowhere: no such file or directory\n> TIME\n> "
		if out != want {
			t.Errorf("%q, want %q", out, want)
		}
		return code
	})
}

func TestExampleProxy(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s %s for %s\n", r.Method, r.URL, r.Header.Get("X-Forwarded-Proto"))
		}))
		t.Cleanup(backend.Close)
		u, _ := url.Parse(backend.URL)
		port, addr := s.port(t)
		p := s.start(t, "proxy", "-listen", ":"+port, "-to", "http://"+s.host()+":"+u.Port())
		p.eventually(t, "the proxy", func() error {
			got, err := ask(http.DefaultClient, "GET", "http://"+addr+"/a?b=c", "", 200)
			if err == nil && got != "GET /a?b=c for http\n" {
				err = fmt.Errorf("%q", got)
			}
			return err
		})
		answer, err := http.Get("http://" + addr + "/")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if via := answer.Header.Get("Via"); via != "1.1 gosolo" {
			t.Errorf("Via: %q", via)
		}
		backend.Close()
		got, err := ask(http.DefaultClient, "GET", "http://"+addr+"/", "", http.StatusBadGateway)
		must(t, got, err)
		return p.stop(t)
	})
}

func TestExampleFiles(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		s.file(t, "site/shipped.txt", "in the image\n")
		port, addr := s.port(t)
		base := "http://" + addr + "/"
		p := s.start(t, "files", "-listen", ":"+port, "-root", s.path("site"))
		p.eventually(t, "a file", func() error {
			got, err := ask(http.DefaultClient, "GET", base+"shipped.txt", "", 200)
			if err == nil && got != "in the image\n" {
				err = fmt.Errorf("%q", got)
			}
			return err
		})
		big := strings.Repeat("0123456789abcdef", 100_000)
		got, err := ask(http.DefaultClient, "PUT", base+"new/big", big, http.StatusNoContent)
		must(t, got, err)
		got, err = ask(http.DefaultClient, "GET", base+"new/big", "", 200)
		if must(t, got, err); got != big {
			t.Errorf("%d bytes come back of %d", len(got), len(big))
		}
		list, err := ask(http.DefaultClient, "GET", base, "", 200)
		if must(t, list, err); !strings.Contains(list, "new/") || !strings.Contains(list, "shipped.txt") {
			t.Errorf("the list: %s", list)
		}
		got, err = ask(http.DefaultClient, "DELETE", base+"new/big", "", http.StatusNoContent)
		must(t, got, err)
		got, err = ask(http.DefaultClient, "GET", base+"new/big", "", http.StatusNotFound)
		must(t, got, err)
		return p.stop(t)
	})
}

func TestExampleMetrics(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		port, addr := s.port(t)
		p := s.start(t, "metrics", ":"+port)
		p.eventually(t, "hello", func() error {
			_, err := ask(http.DefaultClient, "GET", "http://"+addr+"/hello", "", 200)
			return err
		})
		for i := 0; i < 4; i++ {
			got, err := ask(http.DefaultClient, "GET", "http://"+addr+"/hello", "", 200)
			must(t, got, err)
		}
		metrics, err := ask(http.DefaultClient, "GET", "http://"+addr+"/metrics", "", 200)
		must(t, metrics, err)
		for _, line := range []string{
			`example_requests_total{path="/hello"} 5`, `example_request_seconds_count 5`, `go_threads [1-9]`,
			`process_open_fds [1-9]`, `process_resident_memory_bytes [0-9.e+]*[1-9]`, `process_start_time_seconds [1-9]`,
		} {
			if !regexp.MustCompile(`(?m)^` + strings.NewReplacer("{", `\{`, "}", `\}`).Replace(line)).MatchString(metrics) {
				t.Errorf("no line %s", line)
			}
		}
		return p.stop(t)
	})
}

// sshRun runs a command, or what is typed into a shell, on the example's server.
func sshRun(t *testing.T, addr, password, typed string, command ...string) (out string, code int) {
	t.Helper()
	cmd := exec.Command(program(t, "sshclient"), append([]string{addr}, command...)...)
	cmd.Env = append(os.Environ(), "SSHD_PASSWORD="+password)
	cmd.Stdin = strings.NewReader(typed)
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	cmd.Run()
	return stdout.String(), cmd.ProcessState.ExitCode()
}

func TestExampleSSH(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		s.file(t, "greeting", "hello\n")
		s.env = []string{"SSHD_PASSWORD=secret"}
		port, addr := s.port(t)
		p := s.start(t, "sshd", ":"+port)
		p.eventually(t, "the server", func() error {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				defer c.Close()
				banner := make([]byte, 4)
				_, err = c.Read(banner)
				if err == nil && string(banner) != "SSH-" {
					err = fmt.Errorf("banner %q", banner)
				}
			}
			return err
		})
		for _, c := range []struct {
			command, want string
			code          int
		}{
			{"cat " + s.path("greeting"), "hello\n", 0},
			{"ls " + s.path(""), "greeting\n", 0},
			{"dns localhost", "localhost ", 0},
			{"stack", "goroutine ", 0},
			{"uptime", "s\n", 0},
			{"cat /nowhere", "no such file", 1},
			{"reboot", "no command", 127},
		} {
			if out, code := sshRun(t, addr, "secret", "", c.command); !strings.Contains(out, c.want) || code != c.code {
				t.Errorf("%s: %q, exit code %d", c.command, out, code)
			}
		}
		out, code := sshRun(t, addr, "secret", "echo typed\rexit\r")
		if want := "$ echo typed\r\ntyped\r\n$ exit\r\n"; out != want || code != 0 {
			t.Errorf("the shell: %q, exit code %d; want %q", out, code, want)
		}
		if out, code := sshRun(t, addr, "wrong", "", "uptime"); out != "" || code != 1 {
			t.Errorf("with a wrong password: %q, exit code %d", out, code)
		}
		return p.stop(t)
	})
}
