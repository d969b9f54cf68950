package main

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Robust futexes: what a thread leaves that dies with locks held.
var futexRobustChecks = []check{
	{"robust-list", futexRobustList},
	{"robust-pending", futexRobustPending},
	{"robust-circle-ends", futexRobustCircleEnds},
	{"robust-arguments", futexRobustArguments},
}

type robustHead struct {
	next    uintptr
	offset  int64
	pending uintptr
}

// robustEntry is a lock as a C library lays it out.
type robustEntry struct {
	next uintptr
	word uint32
}

const (
	setRobustList, getRobustList = 273, 274
	ownerDied, hasWaiters        = 0x40000000, 0x80000000
	wordOffset                   = 8
)

// dieWith ends a thread that has prepared head. Memory is not Go's: the kernel stores to it late.
func dieWith(t *T, prepare func(head *robustHead, entries []robustEntry, tid uint32)) (entries []robustEntry, done func()) {
	a := mapPages(t, 1, rw)
	head := (*robustHead)(unsafe.Pointer(at(a)))
	entries = unsafe.Slice((*robustEntry)(unsafe.Pointer(at(a+64))), 8)
	onOwnThread(func() {
		prepare(head, entries, uint32(syscall.Gettid()))
		_, e := raw(setRobustList, a, unsafe.Sizeof(*head))
		t.Want("set_robust_list", e, syscall.Errno(0))
	})
	return entries, func() { unmap(t, a, 1) }
}

func link(p *robustEntry) uintptr { return uintptr(unsafe.Pointer(p)) }

func futexRobustList(t *T) {
	var waiter chan syscall.Errno
	var self uint32
	entries, done := dieWith(t, func(h *robustHead, e []robustEntry, tid uint32) {
		self = tid
		h.offset = wordOffset
		h.next = link(&e[0])
		e[0] = robustEntry{link(&e[1]), tid}
		e[1] = robustEntry{link(&e[2]), tid + 1}
		e[2] = robustEntry{uintptr(unsafe.Pointer(h)), tid | hasWaiters}
		e[3].word = tid // not on the list
		waiter = make(chan syscall.Errno)
		go func() {
			_, err := futex(&e[2].word, futexWait, uintptr(tid|hasWaiters), nil, nil, 0)
			waiter <- err
		}()
		time.Sleep(10 * time.Millisecond)
	})
	defer done()
	if err := <-waiter; err != 0 && err != syscall.EAGAIN {
		t.Errorf("the waiter: %v", err)
	}
	t.Want("own lock", atomic.LoadUint32(&entries[0].word), uint32(ownerDied))
	t.Want("another's lock", atomic.LoadUint32(&entries[1].word), self+1)
	t.Want("a lock with waiters", atomic.LoadUint32(&entries[2].word), uint32(ownerDied|hasWaiters))
	t.Want("a lock not on the list", atomic.LoadUint32(&entries[3].word), self)
}

func futexRobustPending(t *T) {
	entries, done := dieWith(t, func(h *robustHead, e []robustEntry, tid uint32) {
		h.offset = wordOffset
		h.next = uintptr(unsafe.Pointer(h))
		h.pending = link(&e[0])
		e[0].word = tid
	})
	defer done()
	t.Want("the lock being taken", atomic.LoadUint32(&entries[0].word), uint32(ownerDied))
}

// futexRobustCircleEnds: a list that never comes back to its head, or leads nowhere, ends.
func futexRobustCircleEnds(t *T) {
	_, done := dieWith(t, func(h *robustHead, e []robustEntry, tid uint32) {
		h.offset = wordOffset
		h.next = link(&e[0])
		e[0].next, e[1].next = link(&e[1]), link(&e[0])
	})
	done()
	for _, bad := range []uintptr{badPointer, 1 << 63, 0xffff888000000000, 0} {
		entries, done := dieWith(t, func(h *robustHead, e []robustEntry, tid uint32) {
			h.offset = wordOffset
			h.next = link(&e[0])
			e[0] = robustEntry{bad, tid}
		})
		t.Want("the lock before", atomic.LoadUint32(&entries[0].word), uint32(ownerDied))
		done()
	}
	onOwnThread(func() {
		_, e := raw(setRobustList, badPointer, 24)
		t.Want("a head nowhere", e, syscall.Errno(0))
	})
}

func futexRobustArguments(t *T) {
	onOwnThread(func() {
		var head robustHead
		_, e := raw(setRobustList, ptr(&head), 23)
		t.Want("length", e, syscall.EINVAL)
		_, e = raw(setRobustList, 0x1000, 24)
		t.Want("set_robust_list", e, syscall.Errno(0))
		var got, length uintptr
		_, e = raw(getRobustList, 0, ptr(&got), ptr(&length))
		t.Want("get_robust_list", e, syscall.Errno(0))
		t.Want("head", got, uintptr(0x1000))
		t.Want("length", length, uintptr(24))
		_, e = raw(getRobustList, 0, badPointer, ptr(&length))
		t.Want("get_robust_list, bad pointer", e, syscall.EFAULT)
		_, e = raw(getRobustList, 1<<22, ptr(&got), ptr(&length))
		t.Want("get_robust_list of nobody", e, syscall.ESRCH)
		_, e = raw(setRobustList, 0, 24)
		t.Want("none again", e, syscall.Errno(0))
	})
}
