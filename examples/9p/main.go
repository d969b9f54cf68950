// 9p serves a folder by 9P2000, the file protocol of Plan 9: walk, open, create, read, write, remove,
// stat, rename. Linux mounts it; so can any client of the protocol.
//
//	gosolo run -p 5640:5640 --add ./site:/srv ./9p
//	mount -t 9p -o trans=tcp,port=5640,version=9p2000 127.0.0.1 /mnt
package main

import (
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"
)

const (
	maxMessage = 64 << 10
	headBytes  = 4 + 1 + 2 // size, type, tag
	ioBytes    = 24        // what a read's or write's message has besides the data
	noTag      = 0xffff
)

// Message types; an answer's is one more than its request's.
const (
	tVersion = 100 + 2*iota
	tAuth
	tAttach
	tError
	tFlush
	tWalk
	tOpen
	tCreate
	tRead
	tWrite
	tClunk
	tRemove
	tStat
	tWstat
)

const (
	isFolder  = 0x80 // in a qid's type; times 2^24 in a mode
	modeWrite = 1
	modeTrunc = 0x10
	modeClose = 0x40 // remove when closed
)

var (
	errUnknownFid = errors.New("unknown fid")
	errFidInUse   = errors.New("fid already in use")
	errNotOpen    = errors.New("file is not open")
	errBadMessage = errors.New("bad message")
	errBadOffset  = errors.New("bad offset in directory read")
)

// fid is what a client refers to: a path below the root and, once opened, a file.
type fid struct {
	path    string // "/" is the root
	file    *os.File
	listing []byte // of an open folder: all its entries, made at its first read
	remove  bool   // when it is closed
}

// conn is one client. Its messages are answered in order, so that a flush finds nothing to stop.
type conn struct {
	root string
	rw   io.ReadWriter
	size uint32 // agreed largest message
	fids map[uint32]*fid
}

// host is the path on this machine; paths are clean and absolute, so nothing leaves the root.
func (c *conn) host(p string) string { return filepath.Join(c.root, filepath.FromSlash(p)) }

func (c *conn) fid(n uint32) (*fid, error) {
	if f := c.fids[n]; f != nil {
		return f, nil
	}
	return nil, errUnknownFid
}

// drop forgets a fid.
func (c *conn) drop(n uint32) error {
	f, err := c.fid(n)
	if err != nil {
		return err
	}
	delete(c.fids, n)
	if f.file != nil {
		f.file.Close()
	}
	if f.remove {
		return os.Remove(c.host(f.path))
	}
	return nil
}

// serve answers until the client goes or sends what is no message.
func (c *conn) serve() error {
	defer func() {
		for n := range c.fids {
			c.drop(n)
		}
	}()
	head := make([]byte, headBytes)
	for {
		if _, err := io.ReadFull(c.rw, head); err != nil {
			return err
		}
		size := binary.LittleEndian.Uint32(head)
		if size < headBytes || size > c.size {
			return errBadMessage
		}
		body := make([]byte, size-headBytes)
		if _, err := io.ReadFull(c.rw, body); err != nil {
			return err
		}
		out := &encoder{b: make([]byte, headBytes, 256)}
		kind := head[4]
		in := &decoder{b: body}
		if err := c.answer(kind, in, out); err != nil {
			out.b = out.b[:headBytes]
			out.string(text(err))
			kind = tError
		}
		binary.LittleEndian.PutUint32(out.b, uint32(len(out.b)))
		out.b[4] = kind + 1
		copy(out.b[5:], head[5:7])
		if _, err := c.rw.Write(out.b); err != nil {
			return err
		}
	}
}

// text is an error without the path on this machine, which is none of the client's business.
func text(err error) string {
	var p *os.PathError
	var l *os.LinkError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	if errors.As(err, &l) {
		return l.Err.Error()
	}
	return err.Error()
}

func (c *conn) answer(kind byte, in *decoder, out *encoder) error {
	handlers := map[byte]func(*decoder, *encoder) error{
		tVersion: c.version, tAttach: c.attach, tWalk: c.walk, tOpen: c.open, tCreate: c.create,
		tRead: c.read, tWrite: c.write, tClunk: c.clunk, tRemove: c.removeFile, tStat: c.stat, tWstat: c.wstat,
		tFlush: func(in *decoder, _ *encoder) error { in.u16(); return in.err() },
		tAuth:  func(*decoder, *encoder) error { return errors.New("no authentication required") },
	}
	h := handlers[kind]
	if h == nil {
		return errBadMessage
	}
	return h(in, out)
}

func (c *conn) version(in *decoder, out *encoder) error {
	size, version := in.u32(), in.string()
	if err := in.err(); err != nil {
		return err
	}
	if size < 256 {
		return errors.New("messages too small")
	}
	for n := range c.fids { // a new session
		c.drop(n)
	}
	c.size = min(size, maxMessage)
	out.u32(c.size)
	if len(version) < 6 || version[:6] != "9P2000" {
		out.string("unknown")
		return nil
	}
	out.string("9P2000")
	return nil
}

func (c *conn) attach(in *decoder, out *encoder) error {
	n := in.u32()
	in.u32() // no fid of an authentication
	in.string()
	in.string()
	if err := in.err(); err != nil {
		return err
	}
	if c.fids[n] != nil {
		return errFidInUse
	}
	info, err := os.Stat(c.root)
	if err != nil {
		return err
	}
	c.fids[n] = &fid{path: "/"}
	out.qid(info)
	return nil
}

// walk goes as far as names lead; the new fid is there only when all did.
func (c *conn) walk(in *decoder, out *encoder) error {
	n, fresh, count := in.u32(), in.u32(), in.u16()
	f, err := c.fid(n)
	if err != nil {
		return err
	}
	if fresh != n && c.fids[fresh] != nil {
		return errFidInUse
	}
	if f.file != nil {
		return errors.New("cannot walk an open file")
	}
	p, done := f.path, uint16(0)
	at := len(out.b)
	out.u16(0)
	for ; done < count; done++ {
		next := path.Join(p, path.Join("/", in.string())) // ".." of the root is the root
		if in.last == ".." {
			next = path.Dir(p)
		}
		info, err := os.Lstat(c.host(next))
		if in.err() != nil || (err != nil && done == 0) {
			return errors.Join(in.err(), err)
		}
		if err != nil {
			break
		}
		p = next
		out.qid(info)
	}
	binary.LittleEndian.PutUint16(out.b[at:], done)
	if done == count {
		c.fids[fresh] = &fid{path: p}
	}
	return in.err()
}

func flags(mode byte) int {
	how := []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDONLY}[mode&3]
	if mode&modeTrunc != 0 {
		how |= os.O_TRUNC
	}
	return how
}

func (c *conn) opened(f *fid, file *os.File, mode byte, out *encoder) error {
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return err
	}
	f.file, f.remove = file, mode&modeClose != 0
	out.qid(info)
	out.u32(c.size - ioBytes)
	return nil
}

func (c *conn) open(in *decoder, out *encoder) error {
	f, err := c.fid(in.u32())
	mode := in.u8()
	if err = errors.Join(err, in.err()); err != nil {
		return err
	}
	if f.file != nil {
		return errFidInUse
	}
	file, err := os.OpenFile(c.host(f.path), flags(mode), 0)
	if err != nil {
		return err
	}
	return c.opened(f, file, mode, out)
}

// create makes a file or folder in the fid's folder; the fid is then the new one, open.
func (c *conn) create(in *decoder, out *encoder) error {
	f, err := c.fid(in.u32())
	name, perm, mode := in.string(), in.u32(), in.u8()
	if err = errors.Join(err, in.err()); err != nil {
		return err
	}
	if name == "" || name == "." || name == ".." || path.Base(name) != name {
		return errors.New("bad name")
	}
	p := path.Join(f.path, name)
	how := flags(mode) | os.O_CREATE | os.O_EXCL
	if perm&(isFolder<<24) != 0 {
		if err := os.Mkdir(c.host(p), os.FileMode(perm&0o777)); err != nil {
			return err
		}
		how = os.O_RDONLY
	}
	file, err := os.OpenFile(c.host(p), how, os.FileMode(perm&0o777))
	if err != nil {
		return err
	}
	f.path = p
	return c.opened(f, file, mode, out)
}

// list is a folder as a client reads it: the stat of each entry.
func (c *conn) list(f *fid) error {
	entries, err := os.ReadDir(c.host(f.path))
	if err != nil {
		return err
	}
	all := &encoder{b: []byte{}}
	for _, e := range entries {
		if info, err := e.Info(); err == nil { // else it went meanwhile
			all.stat(info, info.Name())
		}
	}
	f.listing = all.b
	return nil
}

// whole is the part of entries that fits in count bytes.
func whole(entries []byte, count int) ([]byte, error) {
	n := 0
	for n < len(entries) {
		size := 2 + int(binary.LittleEndian.Uint16(entries[n:]))
		if n+size > count {
			break
		}
		n += size
	}
	if n == 0 && len(entries) > 0 {
		return nil, errors.New("read too small for an entry")
	}
	return entries[:n], nil
}

func (c *conn) readFolder(f *fid, offset uint64, count int) ([]byte, error) {
	if offset == 0 {
		if err := c.list(f); err != nil {
			return nil, err
		}
	}
	if offset > uint64(len(f.listing)) {
		return nil, errBadOffset
	}
	return whole(f.listing[offset:], count)
}

func (c *conn) read(in *decoder, out *encoder) error {
	f, err := c.fid(in.u32())
	offset, count := in.u64(), int(min(in.u32(), c.size-ioBytes))
	if err = errors.Join(err, in.err()); err != nil {
		return err
	}
	if f.file == nil {
		return errNotOpen
	}
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	var data []byte
	if info.IsDir() {
		data, err = c.readFolder(f, offset, count)
	} else {
		data = make([]byte, count)
		n, e := f.file.ReadAt(data, int64(offset))
		if data = data[:n]; e != io.EOF {
			err = e
		}
	}
	if err != nil {
		return err
	}
	out.u32(uint32(len(data)))
	out.b = append(out.b, data...)
	return nil
}

func (c *conn) write(in *decoder, out *encoder) error {
	f, err := c.fid(in.u32())
	offset := in.u64()
	data := in.bytes(int(in.u32()))
	if err = errors.Join(err, in.err()); err != nil {
		return err
	}
	if f.file == nil {
		return errNotOpen
	}
	n, err := f.file.WriteAt(data, int64(offset))
	if err != nil {
		return err
	}
	out.u32(uint32(n))
	return nil
}

func (c *conn) clunk(in *decoder, _ *encoder) error {
	n := in.u32()
	return errors.Join(in.err(), c.drop(n))
}

// removeFile also forgets the fid, whether there was anything to remove or not.
func (c *conn) removeFile(in *decoder, _ *encoder) error {
	n := in.u32()
	f, err := c.fid(n)
	if err != nil {
		return err
	}
	f.remove = true
	return c.drop(n)
}

func (c *conn) stat(in *decoder, out *encoder) error {
	f, err := c.fid(in.u32())
	if err = errors.Join(err, in.err()); err != nil {
		return err
	}
	info, err := os.Lstat(c.host(f.path))
	if err != nil {
		return err
	}
	entry := &encoder{b: []byte{}}
	entry.stat(info, path.Base(f.path))
	out.u16(uint16(len(entry.b)))
	out.b = append(out.b, entry.b...)
	return nil
}

// wstat changes what is not "leave it": all bits set, or the empty name.
func (c *conn) wstat(in *decoder, _ *encoder) error {
	f, err := c.fid(in.u32())
	in.u16()
	in.bytes(2 + 2 + 4 + 13) // size, type, device, qid: not the client's to change
	mode, _, mtime := in.u32(), in.u32(), in.u32()
	length, name := in.u64(), in.string()
	if err = errors.Join(err, in.err()); err != nil {
		return err
	}
	host := c.host(f.path)
	if name != "" && name != path.Base(f.path) {
		if path.Base(name) != name || name == "." || name == ".." {
			return errors.New("bad name")
		}
		to := path.Join(path.Dir(f.path), name)
		if _, err := os.Lstat(c.host(to)); err == nil {
			return os.ErrExist
		}
		if err := os.Rename(host, c.host(to)); err != nil {
			return err
		}
		f.path, host = to, c.host(to)
	}
	if mode != ^uint32(0) {
		err = os.Chmod(host, os.FileMode(mode&0o777))
	}
	if err == nil && length != ^uint64(0) {
		err = os.Truncate(host, int64(length))
	}
	if err == nil && mtime != ^uint32(0) {
		when := time.Unix(int64(mtime), 0)
		err = os.Chtimes(host, when, when)
	}
	return err
}

func main() {
	listen := flag.String("listen", ":5640", "where to listen")
	root := flag.String("root", "/srv", "the folder that is served")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	var clients sync.WaitGroup
	for {
		c, err := l.Accept()
		if err != nil {
			log.Print(err)
			break
		}
		clients.Add(1)
		go func() {
			defer clients.Done()
			defer c.Close()
			s := &conn{root: *root, rw: c, size: maxMessage, fids: map[uint32]*fid{}}
			if err := s.serve(); err != io.EOF {
				log.Printf("%v: %v", c.RemoteAddr(), err)
			}
		}()
	}
	clients.Wait()
}
