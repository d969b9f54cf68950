package real

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const syncKey = "key-of-the-test"

// withKey adds the key that the REST interface wants.
type withKey struct{}

func (withKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("X-API-Key", syncKey)
	return http.DefaultTransport.RoundTrip(r)
}

// node is one Syncthing: a program, its REST interface, and where others reach it.
type node struct {
	*process
	s        *side
	id       string
	rest     string // address
	transfer string // address
}

func (n *node) ask(t *testing.T, method, path, body string) string {
	t.Helper()
	c := &http.Client{Transport: withKey{}, Timeout: time.Minute}
	answer, err := ask(c, method, "http://"+n.rest+"/rest/"+path, body, http.StatusOK)
	return must(t, answer, err)
}

// startNode starts one that knows nobody, and asks no server on the Internet for anything.
func startNode(t *testing.T, s *side) *node {
	t.Helper()
	n := &node{s: s}
	restPort, rest := s.port(t)
	transferPort, transfer := s.port(t)
	n.rest, n.transfer = rest, transfer
	s.env = []string{"STMONITORED=yes", "STGUIAPIKEY=" + syncKey, "STNOUPGRADE=1"} // else it starts a second process
	n.process = s.start(t, "syncthing", "serve", "--no-browser", "--no-default-folder", "--skip-port-probing",
		"--home="+s.path("home"), "--gui-address=0.0.0.0:"+restPort)
	c := &http.Client{Transport: withKey{}, Timeout: 10 * time.Second}
	n.eventually(t, "ping", func() error {
		_, err := ask(c, "GET", "http://"+rest+"/rest/system/ping", "", http.StatusOK)
		return err
	})
	n.ask(t, "PATCH", "config/options", `{"listenAddresses":["tcp://0.0.0.0:`+transferPort+`"],
		"globalAnnounceEnabled":false,"localAnnounceEnabled":false,"relaysEnabled":false,"natEnabled":false,
		"crashReportingEnabled":false,"reconnectionIntervalS":1}`)
	var status struct{ MyID string }
	must(t, "", json.Unmarshal([]byte(n.ask(t, "GET", "system/status", "")), &status))
	n.id = status.MyID
	return n
}

// meet tells n of another one and of the folder that they share.
func (n *node) meet(t *testing.T, other *node, address string) {
	t.Helper()
	n.ask(t, "PUT", "config/devices/"+other.id, fmt.Sprintf(`{"deviceID":%q,"addresses":[%q]}`, other.id, address))
	n.ask(t, "PUT", "config/folders/shared", fmt.Sprintf(
		`{"id":"shared","path":%q,"fsWatcherEnabled":true,"fsWatcherDelayS":1,"devices":[{"deviceID":%q}]}`,
		n.s.path("shared"), other.id))
}

// has waits until n has the newest version of a file, of that length.
func (n *node) has(t *testing.T, file, content string) {
	t.Helper()
	n.eventually(t, file, func() error {
		c := &http.Client{Transport: withKey{}, Timeout: 10 * time.Second}
		answer, err := ask(c, "GET", "http://"+n.rest+"/rest/db/file?folder=shared&file="+file, "", http.StatusOK)
		if err != nil {
			return err
		}
		var is struct {
			Local struct {
				Size    int
				Deleted bool
				Version []string
			}
			Global struct{ Version []string }
		}
		if err := json.Unmarshal([]byte(answer), &is); err != nil {
			return err
		}
		if is.Local.Size != len(content) || is.Local.Deleted || fmt.Sprint(is.Local.Version) != fmt.Sprint(is.Global.Version) {
			return fmt.Errorf("%+v", is)
		}
		return nil
	})
}

// A folder is shared between the program and another one, which is on Linux always: files come and go
// in both directions, over TLS, with a database and checksums at both ends.
func TestSyncthing(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		contents := map[string]string{}
		for i := 0; i < 20; i++ {
			name := fmt.Sprintf("file%d", i)
			contents[name] = strings.Repeat(fmt.Sprintf("%d of many bytes\n", i), 1+i*1000)
			s.file(t, "shared/"+name, contents[name])
		}
		a := startNode(t, s)
		linux := newSide(t, false, "")
		must(t, "", os.Mkdir(filepath.Join(linux.dir, "shared"), 0o755))
		b := startNode(t, linux)
		a.meet(t, b, "dynamic")
		b.meet(t, a, "tcp://"+a.transfer)
		for name, content := range contents {
			b.has(t, name, content)
			got, err := os.ReadFile(filepath.Join(linux.dir, "shared", name))
			must(t, "", err)
			if string(got) != content {
				t.Errorf("%s: %d bytes, not those of %d", name, len(got), len(content))
			}
		}

		// The other way; and one goes.
		big := strings.Repeat("0123456789abcdef", 100_000)
		must(t, "", os.WriteFile(filepath.Join(linux.dir, "shared", "big"), []byte(big), 0o640))
		b.ask(t, "POST", "db/scan?folder=shared", "")
		a.has(t, "big", big)
		must(t, "", os.Remove(filepath.Join(linux.dir, "shared", "file7")))
		b.ask(t, "POST", "db/scan?folder=shared", "")
		a.eventually(t, "file7 goes", func() error {
			if answer := a.ask(t, "GET", "db/file?folder=shared&file=file7", ""); !gone(answer) {
				return fmt.Errorf("%s", answer)
			}
			return nil
		})
		said := a.ask(t, "GET", "system/error", "") + a.ask(t, "GET", "folder/errors?folder=shared", "")
		if strings.Contains(said, "Failed") {
			t.Error(said)
		}
		if end := b.stop(t); end != "exit code 0" {
			t.Error("the other one: ", end)
		}
		return a.stop(t)
	})
}

func gone(answer string) bool {
	var is struct{ Local struct{ Deleted bool } }
	return json.Unmarshal([]byte(answer), &is) == nil && is.Local.Deleted
}
