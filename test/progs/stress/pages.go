package main

import (
	"fmt"
	"math/rand"
	"runtime/debug"
	"sync"
	"syscall"
	"unsafe"

	"gosolo/progs/prog"
)

const (
	pageBytes  = 4096
	rangePages = 1200 // spans page tables: the range lies around a border of every level
)

// pageState is what the kernel must know of a page.
type pageState struct {
	mapped bool
	prot   int
	value  byte // what it is filled with
}

// pageRange is a range of addresses that one worker maps, protects, moves and touches at random,
// with a model of every page beside it.
type pageRange struct {
	base  uintptr
	pages [rangePages]pageState
	r     *rand.Rand
	sum   uint64
}

func (p *pageRange) addr(i int) uintptr { return p.base + uintptr(i)*pageBytes }

func (p *pageRange) page(i int) *[pageBytes]byte {
	addr := p.addr(i)
	return *(**[pageBytes]byte)(unsafe.Pointer(&addr))
}

// some chooses a part of the range: mostly a few pages, sometimes many.
func (p *pageRange) some() (first, end int) {
	first = p.r.Intn(rangePages)
	count := 1 + p.r.Intn(16)
	if p.r.Intn(4) == 0 {
		count = 1 + p.r.Intn(rangePages)
	}
	return first, min(first+count, rangePages)
}

func (p *pageRange) prot() int { return []int{0, 1, 3, 3, 3}[p.r.Intn(5)] }

func (p *pageRange) call(number uintptr, first, end int, args ...uintptr) (uintptr, syscall.Errno) {
	var a [4]uintptr
	copy(a[:], args)
	r, _, e := syscall.Syscall6(number, p.addr(first), uintptr(end-first)*pageBytes, a[0], a[1], a[2], a[3])
	return r, e
}

func (p *pageRange) mapSome() {
	first, end := p.some()
	prot := p.prot()
	r, e := p.call(syscall.SYS_MMAP, first, end, uintptr(prot), syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_FIXED, ^uintptr(0))
	prog.Check(e == 0 && r == p.addr(first), "mmap: %#x %v", r, e)
	for i := first; i < end; i++ {
		p.pages[i] = pageState{true, prot, 0}
	}
}

func (p *pageRange) unmapSome() {
	first, end := p.some()
	_, e := p.call(syscall.SYS_MUNMAP, first, end)
	prog.Check(e == 0, "munmap: %v", e)
	clear(p.pages[first:end])
}

// alike shortens a part to the pages at its start that are mapped, and protected like the first.
func (p *pageRange) alike(first, end int, sameProt bool) int {
	for i := first; i < end; i++ {
		if !p.pages[i].mapped || sameProt && p.pages[i].prot != p.pages[first].prot {
			return i
		}
	}
	return end
}

func (p *pageRange) protectSome() {
	first, end := p.some()
	end = p.alike(first, end, false)
	if end == first {
		return
	}
	prot := p.prot()
	_, e := p.call(syscall.SYS_MPROTECT, first, end, uintptr(prot))
	prog.Check(e == 0, "mprotect: %v", e)
	for i := first; i < end; i++ {
		p.pages[i].prot = prot
	}
}

func (p *pageRange) dropSome() {
	first, end := p.some()
	hole := p.alike(first, end, false) < end
	_, e := p.call(syscall.SYS_MADVISE, first, end, syscall.MADV_DONTNEED)
	prog.Check((e != 0) == hole, "madvise: %v, hole %v", e, hole)
	for i := first; i < end; i++ {
		p.pages[i].value = 0
	}
}

func (p *pageRange) moveSome() {
	const mayMoveFixed = 3
	first, end := p.some()
	end = p.alike(first, end, true)
	count, to := end-first, p.r.Intn(rangePages)
	if count == 0 || to+count > rangePages || to < end && first < to+count {
		return
	}
	r, e := p.call(syscall.SYS_MREMAP, first, end, uintptr(count)*pageBytes, mayMoveFixed, p.addr(to))
	prog.Check(e == 0 && r == p.addr(to), "mremap: %#x %v", r, e)
	copy(p.pages[to:to+count], p.pages[first:end])
	clear(p.pages[first:end])
}

// faults runs f and says whether it hit a page that it may not.
func faults(f func()) (faulted bool) {
	defer func() { faulted = recover() != nil }()
	f()
	return
}

func (p *pageRange) touch(i int, write bool) {
	s, page := &p.pages[i], p.page(i)
	var got byte
	bad := faults(func() { got = page[p.r.Intn(pageBytes)] })
	prog.Check(bad != (s.mapped && s.prot != 0), "page %d %+v: read faults: %v", i, *s, bad)
	prog.Check(bad || got == s.value, "page %d %+v holds %d", i, *s, got)
	if write {
		value := byte(1 + p.r.Intn(255))
		bad := faults(func() { page[0] = value })
		prog.Check(bad != (s.mapped && s.prot&2 != 0), "page %d %+v: write faults: %v", i, *s, bad)
		if !bad {
			for j := range page {
				page[j] = value
			}
			s.value = value
		}
	}
	if !bad {
		prog.Check(page[0] == s.value && page[pageBytes-1] == s.value, "page %d %+v holds %d, %d", i, *s, page[0], page[pageBytes-1])
		p.sum = p.sum*31 + uint64(page[77])
	}
}

func (p *pageRange) step() {
	switch op := p.r.Intn(12); op {
	case 0, 1:
		p.mapSome()
	case 2:
		p.unmapSome()
	case 3:
		p.protectSome()
	case 4:
		p.dropSome()
	case 5:
		p.moveSome()
	default:
		first, count := p.r.Intn(rangePages), 1
		if op == 11 {
			count = 200
		}
		for i := first; i < min(first+count, rangePages); i++ {
			p.touch(i, p.r.Intn(2) == 0)
		}
	}
}

// pagesMain takes N steps on ranges of its own in each of 4 workers; faults are part of the game.
func pagesMain(args []string) {
	n := prog.Int(args, 0, 200)
	sums := make([]uint64, prog.Int(args, 1, 4))
	var wg sync.WaitGroup
	for w := range sums {
		wg.Add(1)
		go func() {
			defer wg.Done()
			debug.SetPanicOnFault(true)
			p := &pageRange{base: 0x2000_0000_0000 + uintptr(w)<<36 - rangePages/2*pageBytes,
				r: rand.New(rand.NewSource(int64(w + 1)))}
			for i := 0; i < n; i++ {
				p.step()
			}
			_, e := p.call(syscall.SYS_MUNMAP, 0, rangePages)
			prog.Check(e == 0, "munmap of all: %v", e)
			sums[w] = p.sum
		}()
	}
	wg.Wait()
	fmt.Printf("sums %x\n", sums)
}
