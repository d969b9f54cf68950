package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// writeInitramfs writes a cpio archive (newc) that Linux unpacks at boot: dev, proc, sys, a console
// device, and the files that NAME=FILE words name. It needs no root.
func writeInitramfs(out string, words []string) error {
	var b bytes.Buffer
	inode := 0
	entry := func(name string, mode, major, minor int, data []byte) {
		inode++
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
			inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name)+1, 0, name)
		pad(&b)
		b.Write(data)
		pad(&b)
	}
	for _, d := range []string{"dev", "proc", "sys", "tmp"} {
		entry(d, 0o40755, 0, 0, nil)
	}
	entry("dev/console", 0o20600, 5, 1, nil)
	for _, w := range words {
		name, file, _ := strings.Cut(w, "=")
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		entry(name, 0o100755, 0, 0, data)
	}
	entry("TRAILER!!!", 0, 0, 0, nil)
	return os.WriteFile(out, b.Bytes(), 0o644)
}

func pad(b *bytes.Buffer) {
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}

// writeVmlinux unpacks the kernel that a bzImage holds. Its setup header says where it lies, and
// its first bytes by which program it was packed.
func writeVmlinux(out, bzImage string) error {
	b, err := os.ReadFile(bzImage)
	if err != nil {
		return err
	}
	if len(b) < 0x260 || string(b[0x202:0x206]) != "HdrS" {
		return fmt.Errorf("%s is no bzImage", bzImage)
	}
	start := (int(b[0x1f1])+1)*512 + int(binary.LittleEndian.Uint32(b[0x248:]))
	length := int(binary.LittleEndian.Uint32(b[0x24c:]))
	if length < 8 || start+length > len(b) {
		return fmt.Errorf("%s: its header does not fit it", bzImage)
	}
	payload := b[start : start+length-4] // the last four bytes are its unpacked size
	for magic, tool := range map[string]string{"\x02\x21\x4c\x18": "lz4", "\x28\xb5\x2f\xfd": "zstd",
		"\xfd7zX": "xz", "\x1f\x8b\x08\x00": "gzip"} {
		if strings.HasPrefix(string(payload), magic) {
			return decompress(out, tool, payload)
		}
	}
	return fmt.Errorf("%s is packed in a way that is not known here (% x)", bzImage, payload[:4])
}

func decompress(out, tool string, payload []byte) error {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command(tool, "-dc")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(payload), f, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("unpacking the kernel by %s (is it installed?): %w", tool, err)
	}
	return nil
}
