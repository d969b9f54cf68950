package real

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// ninep is a client of 9P2000 that knows as much as the test asks.
type ninep struct {
	t *testing.T
	c net.Conn
}

// field is a little-endian number of so many bytes, or a string with its length before it.
func field(b []byte, v any) []byte {
	switch v := v.(type) {
	case byte:
		return append(b, v)
	case uint16:
		return binary.LittleEndian.AppendUint16(b, v)
	case uint32:
		return binary.LittleEndian.AppendUint32(b, v)
	case uint64:
		return binary.LittleEndian.AppendUint64(b, v)
	case string:
		return append(binary.LittleEndian.AppendUint16(b, uint16(len(v))), v...)
	case []byte:
		return append(b, v...)
	}
	panic(fmt.Sprintf("%T", v))
}

// call sends a message and returns what the answer has, or the server's error.
func (n *ninep) call(kind byte, tag uint16, fields ...any) ([]byte, error) {
	n.t.Helper()
	m := field(field(make([]byte, 4), kind), tag)
	for _, f := range fields {
		m = field(m, f)
	}
	binary.LittleEndian.PutUint32(m, uint32(len(m)))
	n.c.SetDeadline(time.Now().Add(patience))
	if _, err := n.c.Write(m); err != nil {
		n.t.Fatal(err)
	}
	head := make([]byte, 7)
	if _, err := io.ReadFull(n.c, head); err != nil {
		n.t.Fatal(err)
	}
	body := make([]byte, binary.LittleEndian.Uint32(head)-7)
	if _, err := io.ReadFull(n.c, body); err != nil {
		n.t.Fatal(err)
	}
	if got := binary.LittleEndian.Uint16(head[5:]); got != tag {
		n.t.Fatalf("tag %d, want %d", got, tag)
	}
	if head[4] == 107 {
		return nil, fmt.Errorf("%s", body[2:])
	}
	if head[4] != kind+1 {
		n.t.Fatalf("message %d answered by %d", kind, head[4])
	}
	return body, nil
}

func (n *ninep) must(kind byte, fields ...any) []byte {
	n.t.Helper()
	body, err := n.call(kind, 7, fields...)
	if err != nil {
		n.t.Fatalf("message %d: %v", kind, err)
	}
	return body
}

// refused demands an error that says that.
func (n *ninep) refused(want string, kind byte, fields ...any) {
	n.t.Helper()
	if _, err := n.call(kind, 7, fields...); err == nil || err.Error() != want {
		n.t.Errorf("message %d: %v; want %q", kind, err, want)
	}
}

// walk leads a new fid from the root (fid 0) to names.
func (n *ninep) walk(fid uint32, names ...string) {
	n.t.Helper()
	fields := []any{uint32(0), fid, uint16(len(names))}
	for _, name := range names {
		fields = append(fields, name)
	}
	if body := n.must(110, fields...); len(body) != 2+13*len(names) {
		n.t.Errorf("walk to %v: %d bytes", names, len(body))
	}
}

// readAll reads an open fid to its end, in pieces of so many bytes.
func (n *ninep) readAll(fid, piece uint32) (all []byte) {
	for {
		body := n.must(116, fid, uint64(len(all)), piece)
		if len(body) == 4 {
			return all
		}
		all = append(all, body[4:]...)
	}
}

// names of a folder's entries, each with its mode and length.
func (n *ninep) names(fid uint32) (list []string) {
	n.must(112, fid, byte(0))
	for b := n.readAll(fid, 200); len(b) > 0; {
		size := 2 + int(binary.LittleEndian.Uint16(b))
		e := b[:size]
		mode, length := binary.LittleEndian.Uint32(e[21:]), binary.LittleEndian.Uint64(e[33:])
		name := e[43 : 43+int(binary.LittleEndian.Uint16(e[41:]))]
		list = append(list, fmt.Sprintf("%s %o %d", name, mode, length))
		b = b[size:]
	}
	n.must(120, fid)
	return list
}

func TestExample9P(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		s.file(t, "site/shipped.txt", "in the image\n")
		port, addr := s.port(t)
		p := s.start(t, "9p", "-listen", ":"+port, "-root", s.path("site"))
		n := &ninep{t: t}
		p.eventually(t, "a connection", func() (err error) {
			if n.c, err = net.Dial("tcp", addr); err != nil {
				return err
			}
			n.c.SetDeadline(time.Now().Add(2 * time.Second))
			hello := append([]byte{19, 0, 0, 0, 100, 255, 255, 0, 16, 0, 0, 6, 0}, "9P2000"...)
			answer := make([]byte, len(hello))
			if _, err = n.c.Write(hello); err == nil {
				_, err = io.ReadFull(n.c, answer)
			}
			if hello[4]++; err == nil && !bytes.Equal(answer, hello) {
				err = fmt.Errorf("version is answered by %q", answer)
			}
			if err != nil {
				n.c.Close()
			}
			return err
		})
		defer n.c.Close()
		n.must(104, uint32(0), ^uint32(0), "tester", "")

		n.walk(1, "shipped.txt")
		n.must(112, uint32(1), byte(0))
		if got := n.readAll(1, 5); string(got) != "in the image\n" {
			t.Errorf("the file: %q", got)
		}
		n.must(120, uint32(1))

		big := []byte(strings.Repeat("0123456789abcdef", 4096))
		n.walk(1)
		n.must(114, uint32(1), "new", uint32(0x80000000|0o755), byte(0)) // a folder
		n.must(120, uint32(1))
		n.walk(1, "new")
		n.must(114, uint32(1), "big", uint32(0o600), byte(2))
		for at := 0; at < len(big); at += 4000 {
			piece := big[at:min(at+4000, len(big))]
			n.must(118, uint32(1), uint64(at), uint32(len(piece)), piece)
		}
		if got := n.readAll(1, 4000); !bytes.Equal(got, big) {
			t.Errorf("%d bytes come back of %d", len(got), len(big))
		}
		n.must(120, uint32(1))
		n.walk(1, "new")
		if got := fmt.Sprint(n.names(1)); got != "[big 600 65536]" {
			t.Errorf("the new folder: %s", got)
		}
		n.walk(1)
		list := fmt.Sprint(n.names(1))
		if !strings.Contains(list, "shipped.txt 644 13") || !strings.Contains(list, "new 20000000755 0") {
			t.Errorf("the root: %s", list)
		}

		n.refused("no such file or directory", 110, uint32(0), uint32(9), uint16(1), "nothing")
		n.refused("unknown fid", 120, uint32(99))
		n.refused("bad name", 114, uint32(0), "../out", uint32(0o644), byte(1))
		if body := n.must(110, uint32(0), uint32(2), uint16(2), "..", "shipped.txt"); len(body) != 2+2*13 {
			t.Errorf("the root's parent is not the root: %d bytes", len(body))
		}
		n.walk(3, "new", "big")
		n.must(122, uint32(3)) // remove
		return p.stop(t)
	})
}
