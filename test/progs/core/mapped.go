package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"gosolo/progs/prog"
)

// mappedMain has memory of all kinds: large pages, pages in pieces, code that it made itself. It says
// "ready" at its start, and "code FIRST END" where it has made code; each time it waits for a line.
func mappedMain([]string) {
	line := make([]byte, 1)
	fmt.Println("ready")
	io.ReadFull(os.Stdin, line)
	large, err := syscall.Mmap(-1, 0, 16<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	prog.Must(err)
	prog.Must(syscall.Madvise(large, 14)) // MADV_HUGEPAGE: the program is small
	for i := 0; i < len(large); i += 4096 {
		large[i] = 1
	}
	start := int(-uintptr(unsafe.Pointer(&large[0])) & (2<<20 - 1))
	pieces := large[start+2<<20:][:2<<20] // of what was a large page
	for i := 0; i < len(pieces); i += 3 * 4096 {
		prog.Must(syscall.Mprotect(pieces[i:i+4096], syscall.PROT_READ))
	}
	prog.Must(syscall.Madvise(pieces[4096:8192], syscall.MADV_DONTNEED))
	code, err := syscall.Mmap(-1, 0, 8*4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	prog.Must(err)
	for i := range code {
		code[i] = 0xc3
	}
	prog.Must(syscall.Mprotect(code, syscall.PROT_READ|syscall.PROT_EXEC))
	first := uintptr(unsafe.Pointer(&code[0]))
	fmt.Printf("code %#x %#x\n", first, first+uintptr(len(code)))
	io.ReadFull(os.Stdin, line)
	runtime.KeepAlive(large)
}
