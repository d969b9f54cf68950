package main

import (
	"os"
	"strings"
	"syscall"
)

// Mappings of files, as far as they are mappings; what is in the files is in mapping.go.
var memoryFileChecks = []check{
	{"mincore-of-a-file", mincoreOfAFile},
	{"dontneed-of-a-private-file", dontneedOfAPrivateFile},
	{"beyond-the-end", beyondTheEnd},
	{"cut-off-while-mapped", cutOffWhileMapped},
	{"remap-of-a-file", remapOfAFile},
	{"rights-of-a-file", rightsOfAFile},
}

// mapNumbered makes a file of numbered pages and maps it; it is gone when the mapping is.
func mapNumbered(t *T, pages int, prot, flags uintptr) (*os.File, uintptr) {
	f, err := os.CreateTemp("", "conformance-")
	t.Must("create", err)
	os.Remove(f.Name())
	var text strings.Builder
	for i := 0; i < pages; i++ {
		text.WriteString(strings.Repeat(string(rune('a'+i)), page))
	}
	_, err = f.WriteString(text.String())
	t.Must("write", err)
	a, e := call(syscall.SYS_MMAP, 0, uintptr(pages)*page, prot, flags, f.Fd(), 0)
	if e != 0 {
		t.Fatalf("mmap: %v", e)
	}
	return f, a
}

// The pages are in memory whether this mapping was touched or not; a hole is not.
func mincoreOfAFile(t *T) {
	f, a := mapNumbered(t, 4, ro, syscall.MAP_SHARED)
	defer f.Close()
	t.Want("resident", countResident(t, a, 4), 4)
	unmap(t, a, 4)
}

func dontneedOfAPrivateFile(t *T) {
	f, a := mapNumbered(t, 3, rw, syscall.MAP_PRIVATE)
	defer f.Close()
	*at(a + page) = 'X'
	t.Want("copy", *at(a + page), byte('X'))
	t.Want("madvise", advise(a, 3*page, advDontNeed), syscall.Errno(0))
	t.Want("the file's byte", *at(a + page), byte('b'))
	unmap(t, a, 3)
}

func beyondTheEnd(t *T) {
	f, a := mapNumbered(t, 3, rw, syscall.MAP_SHARED)
	defer f.Close()
	t.Must("truncate", f.Truncate(page+10))
	t.Want("behind the end, same page", *at(a + page + 20), byte(0))
	t.Want("next page", loadFaults(a+2*page), true)
	t.Must("truncate", f.Truncate(3*page))
	t.Want("after it grew", *at(a + 2*page), byte(0))
	unmap(t, a, 3)
}

// Private copies go, too.
func cutOffWhileMapped(t *T) {
	f, a := mapNumbered(t, 3, rw, syscall.MAP_PRIVATE)
	defer f.Close()
	*at(a + 2*page) = 'X'
	t.Must("truncate", f.Truncate(2*page))
	t.Want("what was cut off", loadFaults(a+2*page), true)
	t.Want("what was not", *at(a + page), byte('b'))
	unmap(t, a, 3)
}

func remapOfAFile(t *T) {
	f, whole := mapNumbered(t, 5, rw, syscall.MAP_SHARED)
	defer f.Close()
	defer unmap(t, whole, 5)
	a, e := call(syscall.SYS_MMAP, 0, 2*page, rw, syscall.MAP_SHARED, f.Fd(), page)
	t.Want("mmap", e, syscall.Errno(0))
	*at(a + page) = 'X'
	b, e := remap(a, 2*page, 4*page, mayMove, 0)
	t.Want("mremap", e, syscall.Errno(0))
	t.Want("old page", *at(b + page), byte('X'))
	t.Want("new page", *at(b + 3*page), byte('e'))
	*at(b + 3*page) = 'Y'
	t.Want("in the file", *at(whole + 4*page), byte('Y'))
	c, e := remap(b+page, 0, 3*page, mayMove, 0)
	t.Want("mremap of old size 0", e, syscall.Errno(0))
	t.Want("second view", *at(c + 2*page), byte('Y'))
	unmap(t, b, 4)
	unmap(t, c, 3)
}

func rightsOfAFile(t *T) {
	f, a := mapNumbered(t, 1, ro, syscall.MAP_SHARED)
	defer f.Close()
	t.Want("mprotect to write", protect(a, page, rw), syscall.Errno(0))
	*at(a) = 'Z'
	unmap(t, a, 1)
	g, err := os.Open("/proc/self/maps")
	t.Must("open", err)
	defer g.Close()
	_, e := call(syscall.SYS_MMAP, 0, page, ro, syscall.MAP_SHARED, g.Fd(), 0)
	if e == 0 {
		t.Errorf("a file without pages was mapped")
	}
}
