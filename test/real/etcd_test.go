package real

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// etcd is the JSON gateway of a server.
type etcd struct {
	*process
	base   string
	client *http.Client
}

// etcdAnswer holds what the tests look at, of any answer.
type etcdAnswer struct {
	Header struct{ Revision string }
	Kvs    []etcdPair
	Count  string
	ID     string
	Error  string
	Result struct {
		Created bool
		Events  []struct {
			Type string
			Kv   etcdPair
		}
	}
}

type etcdPair struct{ Key, Value string }

func code64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func (e *etcd) call(t *testing.T, method string, status int, format string, args ...any) (a etcdAnswer) {
	t.Helper()
	text, err := ask(e.client, "POST", e.base+"/v3/"+method, fmt.Sprintf(format, args...), status)
	must(t, text, err)
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%s: %v: %s", method, err, text)
	}
	return a
}

func (e *etcd) put(t *testing.T, key, value string, more string) (revision string) {
	t.Helper()
	return e.call(t, "kv/put", 200, `{"key":"%s","value":"%s"%s}`, code64(key), code64(value), more).Header.Revision
}

// get demands a value; "" is no such key.
func (e *etcd) get(t *testing.T, key, want string) {
	t.Helper()
	a := e.call(t, "kv/range", 200, `{"key":"%s"}`, code64(key))
	switch {
	case want == "" && len(a.Kvs) != 0, want != "" && (len(a.Kvs) != 1 || a.Kvs[0].Value != code64(want)):
		t.Errorf("%s is %v, want %.60q", key, a.Kvs, want)
	}
}

// watch returns a channel of what happens to a key: "PUT value" or "DELETE ".
func (e *etcd) watch(t *testing.T, key string) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	body := fmt.Sprintf(`{"create_request":{"key":"%s"}}`, code64(key))
	request, err := http.NewRequestWithContext(ctx, "POST", e.base+"/v3/watch", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := e.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	lines, events := bufio.NewScanner(answer.Body), make(chan string, 10)
	if !lines.Scan() || !strings.Contains(lines.Text(), `"created":true`) {
		t.Fatalf("the watch is not created: %s %v", lines.Text(), lines.Err())
	}
	go func() {
		defer answer.Body.Close()
		defer close(events)
		for lines.Scan() {
			var a etcdAnswer
			if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
				events <- err.Error()
				return
			}
			for _, event := range a.Result.Events {
				value, _ := base64.StdEncoding.DecodeString(event.Kv.Value)
				if event.Type == "" {
					event.Type = "PUT" // the gateway leaves out values of 0
				}
				events <- event.Type + " " + string(value)
			}
		}
	}()
	return events
}

func expectEvent(t *testing.T, events <-chan string, want string) {
	t.Helper()
	select {
	case got := <-events:
		if got != want {
			t.Errorf("event %q, want %q", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("no event, want %q", want)
	}
}

func startEtcd(t *testing.T, s *side) *etcd {
	port, addr := s.port(t)
	peerPort, _ := s.port(t)
	peer := "http://127.0.0.1:" + peerPort
	p := s.start(t, "etcd", "--data-dir", s.path("data"), "--listen-client-urls", "http://0.0.0.0:"+port,
		"--advertise-client-urls", "http://127.0.0.1:"+port, "--listen-peer-urls", peer,
		"--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	e := &etcd{p, "http://" + addr, &http.Client{Timeout: patience}}
	p.eventually(t, "health", func() error {
		answer, err := ask(e.client, "GET", e.base+"/health", "", 200)
		if err == nil && !strings.Contains(answer, `"health":"true"`) {
			err = fmt.Errorf("%s", answer)
		}
		return err
	})
	return e
}

func TestEtcd(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		e := startEtcd(t, s)
		events := e.watch(t, "watched")

		old := e.put(t, "a", "first", "")
		e.get(t, "a", "first")
		big := strings.Repeat("0123456789", 50_000)
		e.put(t, "a", big, "")
		e.get(t, "a", big)
		e.get(t, "b", "")

		e.put(t, "watched", "one", "")
		e.put(t, "watched", "two", "")
		e.call(t, "kv/deleterange", 200, `{"key":"%s"}`, code64("watched"))
		for _, want := range []string{"PUT one", "PUT two", "DELETE "} {
			expectEvent(t, events, want)
		}

		lease := e.call(t, "lease/grant", 200, `{"TTL":2}`).ID
		e.put(t, "watched", "leased", `,"lease":"`+lease+`"`)
		e.get(t, "watched", "leased")
		expectEvent(t, events, "PUT leased")
		expectEvent(t, events, "DELETE ") // the lease has expired
		e.get(t, "watched", "")

		for i := 0; i < 200; i++ {
			e.put(t, fmt.Sprintf("many/%03d", i), fmt.Sprint(i), "")
		}
		last := e.put(t, "a", "last", "")
		if n := e.call(t, "kv/range", 200, `{"key":"%s","range_end":"%s"}`, code64("many/"), code64("many0")); n.Count != "200" {
			t.Errorf("%s keys, want 200", n.Count)
		}
		e.call(t, "kv/compaction", 200, `{"revision":"%s","physical":true}`, last)
		refused := e.call(t, "kv/range", 400, `{"key":"%s","revision":"%s"}`, code64("a"), old)
		if !strings.Contains(refused.Error, "has been compacted") {
			t.Errorf("a compacted revision: %q", refused.Error)
		}
		e.call(t, "maintenance/defragment", 200, `{}`)
		e.get(t, "a", "last")
		ended, want := e.stop(t), "exit code 143"
		if s.isMachine {
			want = "exit code 0" // etcd kills itself with the signal, but exits when it is process 1
		}
		if ended != want {
			t.Errorf("%s, want %s", ended, want)
		}
		return "revision " + last
	})
}
