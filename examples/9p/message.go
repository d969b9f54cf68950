package main

import (
	"encoding/binary"
	"os"
	"syscall"
)

// decoder reads the fields of a message, little-endian. What is cut short is an error in the end.
type decoder struct {
	b    []byte
	bad  bool
	last string // the string that was read last
}

func (d *decoder) err() error {
	if d.bad {
		return errBadMessage
	}
	return nil
}

func (d *decoder) bytes(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad, d.b = true, nil
		return make([]byte, 8)
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) u8() byte    { return d.bytes(1)[0] }
func (d *decoder) u16() uint16 { return binary.LittleEndian.Uint16(d.bytes(2)) }
func (d *decoder) u32() uint32 { return binary.LittleEndian.Uint32(d.bytes(4)) }
func (d *decoder) u64() uint64 { return binary.LittleEndian.Uint64(d.bytes(8)) }

func (d *decoder) string() string {
	d.last = string(d.bytes(int(d.u16())))
	return d.last
}

// encoder writes them.
type encoder struct{ b []byte }

func (e *encoder) u8(v byte)    { e.b = append(e.b, v) }
func (e *encoder) u16(v uint16) { e.b = binary.LittleEndian.AppendUint16(e.b, v) }
func (e *encoder) u32(v uint32) { e.b = binary.LittleEndian.AppendUint32(e.b, v) }
func (e *encoder) u64(v uint64) { e.b = binary.LittleEndian.AppendUint64(e.b, v) }

func (e *encoder) string(s string) {
	e.u16(uint16(len(s)))
	e.b = append(e.b, s...)
}

// qid tells files apart, and their versions.
func (e *encoder) qid(info os.FileInfo) {
	var kind byte
	if info.IsDir() {
		kind = isFolder
	}
	e.u8(kind)
	e.u32(uint32(info.ModTime().UnixNano()))
	e.u64(info.Sys().(*syscall.Stat_t).Ino)
}

// stat is a file's entry, with its size before it.
func (e *encoder) stat(info os.FileInfo, name string) {
	at := len(e.b)
	e.u16(0)
	e.u16(0) // type and device: of this server
	e.u32(0)
	e.qid(info)
	mode, length := uint32(info.Mode().Perm()), uint64(info.Size())
	if info.IsDir() {
		mode, length = mode|isFolder<<24, 0
	}
	e.u32(mode)
	e.u32(uint32(info.ModTime().Unix()))
	e.u32(uint32(info.ModTime().Unix()))
	e.u64(length)
	e.string(name)
	e.string("none")
	e.string("none")
	e.string("none")
	binary.LittleEndian.PutUint16(e.b[at:], uint16(len(e.b)-at-2))
}
