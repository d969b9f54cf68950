package main

import (
	"strconv"
	"syscall"
	"time"
)

// Sockets that several threads use at once: who waits holds up nobody.
var sharedChecks = []check{
	{"dontwait-beside-a-reader", sharedReader},
	{"timeout-beside-a-reader", sharedReaderTimeout},
	{"each-reader-gets-one", sharedReaders},
	{"dontwait-beside-a-writer", sharedWriter},
	{"timeout-beside-a-writer", sharedWriterTimeout},
	{"writer-waits-for-a-queue", sharedQueue},
}

// eachPair runs f with two connected sockets of each kind.
func eachPair(t *T, f func(kind string, a, b int)) {
	pairs := map[string]func() (int, int, func()){
		"TCP":            func() (int, int, func()) { return tcpPair(t) },
		"UDP":            func() (int, int, func()) { return udpPair(t) },
		"UNIX stream":    func() (int, int, func()) { return unixPair(t, syscall.SOCK_STREAM) },
		"UNIX datagrams": func() (int, int, func()) { return unixPair(t, syscall.SOCK_DGRAM) },
		"UNIX records":   func() (int, int, func()) { return unixPair(t, syscall.SOCK_SEQPACKET) },
	}
	for kind, pair := range pairs {
		a, b, done := pair()
		f(kind, a, b)
		done()
	}
}

// begun starts f on a thread of its own, which sleeps in a call soon; its result comes later.
func begun(f func() (int, error)) chan error {
	result := make(chan error, 1)
	tid := make(chan int)
	go func() {
		undisturbed(func() {
			tid <- syscall.Gettid()
			_, err := f()
			result <- err
		})
	}()
	sleeping(<-tid)
	return result
}

// sleeping waits until a thread sleeps and still does a little later.
func sleeping(tid int) {
	for calm := 0; calm < 5; time.Sleep(2 * time.Millisecond) {
		b := make([]byte, 512)
		fd, err := syscall.Open("/proc/self/task/"+itoa(tid)+"/stat", syscall.O_RDONLY, 0)
		if err != nil {
			return
		}
		n, _ := syscall.Read(fd, b)
		syscall.Close(fd)
		if stateOf(string(b[:n])) == 'S' {
			calm++
		} else {
			calm = 0
		}
	}
}

// stateOf is the letter behind the name in /proc/PID/stat.
func stateOf(stat string) byte {
	for i := len(stat) - 3; i > 0; i-- {
		if stat[i] == ')' {
			return stat[i+2]
		}
	}
	return 0
}

func sharedReader(t *T) {
	eachPair(t, func(kind string, a, b int) {
		reader := begun(func() (int, error) { return syscall.Read(a, make([]byte, 10)) })
		_, _, err := syscall.Recvfrom(a, make([]byte, 10), syscall.MSG_DONTWAIT)
		t.Want(kind, err, error(syscall.EAGAIN))
		syscall.Write(b, []byte("x"))
		t.Want(kind+", the reader", <-reader, nil)
	})
}

func sharedReaderTimeout(t *T) {
	eachPair(t, func(kind string, a, b int) {
		reader := begun(func() (int, error) { return syscall.Read(a, make([]byte, 10)) })
		t.Must("SO_RCVTIMEO", syscall.SetsockoptTimeval(a, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Usec: 30000}))
		start := time.Now()
		_, err := readAgain(a, make([]byte, 10))
		t.Want(kind, err, error(syscall.EAGAIN))
		t.Want(kind+", not early", time.Since(start) >= 29*time.Millisecond, true)
		syscall.Write(b, []byte("x"))
		t.Want(kind+", the reader", <-reader, nil)
	})
}

func sharedReaders(t *T) {
	const many = 4
	eachPair(t, func(kind string, a, b int) {
		var readers []chan error
		for i := 0; i < many; i++ {
			readers = append(readers, begun(func() (int, error) { return syscall.Read(a, make([]byte, 1)) }))
		}
		for i := 0; i < many; i++ {
			syscall.Write(b, []byte("x"))
		}
		for _, r := range readers {
			t.Want(kind, <-r, nil)
		}
		_, _, err := syscall.Recvfrom(a, make([]byte, 10), syscall.MSG_DONTWAIT)
		t.Want(kind+", no more", err, error(syscall.EAGAIN))
	})
}

// eachFull runs f with pairs whose first socket has no more room to write; a writer waits there.
func eachFull(t *T, f func(kind string, a int)) {
	eachPair(t, func(kind string, a, b int) {
		if kind == "UDP" {
			return // always has room
		}
		actFill(t, a)
		t.Must("blocking", syscall.SetNonblock(a, false))
		writer := begun(func() (int, error) { return syscall.Write(a, make([]byte, 100000)) })
		f(kind, a)
		syscall.Shutdown(a, syscall.SHUT_RDWR)
		if err := <-writer; err != nil && err != syscall.EPIPE && err != syscall.ECONNRESET {
			t.Errorf("%s, the writer: %v", kind, err)
		}
	})
}

func sharedWriter(t *T) {
	eachFull(t, func(kind string, a int) {
		var err error
		for n := 0; n < 1000 && err == nil; n++ { // what is under way makes some room when it arrives
			_, err = syscall.SendmsgN(a, make([]byte, 1000), nil, nil, syscall.MSG_DONTWAIT)
		}
		t.Want(kind, err, error(syscall.EAGAIN))
	})
}

func sharedWriterTimeout(t *T) {
	eachFull(t, func(kind string, a int) {
		t.Must("SO_SNDTIMEO", syscall.SetsockoptTimeval(a, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &syscall.Timeval{Usec: 30000}))
		start := time.Now()
		err := again(func() error { _, err := syscall.Write(a, make([]byte, 1000)); return err })
		t.Want(kind, err, error(syscall.EAGAIN))
		t.Want(kind+", not early", time.Since(start) >= 29*time.Millisecond, true)
	})
}

// sharedQueue: who sleeps because the receiver's queue is full goes on as soon as it is not,
// connected or not, however many sleep there.
func sharedQueue(t *T) {
	const senders = 3
	most := unixMost(t) + 1
	for _, connected := range []bool{false, true} {
		r, at := unixSocket(t, syscall.SOCK_DGRAM), unixName(t, "queue-"+strconv.FormatBool(connected))
		t.Must("bind", syscall.Bind(r, at))
		s := unixSocket(t, syscall.SOCK_DGRAM)
		to := syscall.Sockaddr(at)
		if connected {
			t.Must("connect", syscall.Connect(s, at))
			to = nil
		}
		for i := 0; i < most; i++ {
			t.Must("send", syscall.Sendto(s, []byte("x"), syscall.MSG_DONTWAIT, to))
		}
		var waiting []chan error
		for i := 0; i < senders; i++ {
			waiting = append(waiting, begun(func() (int, error) { return 0, syscall.Sendto(s, []byte("y"), 0, to) }))
		}
		for i := 0; i < most+senders; i++ {
			_, err := readAgain(r, make([]byte, 1))
			t.Must("read", err)
		}
		for _, w := range waiting {
			t.Want("sender", <-w, nil)
		}
		closeAll(r, s)
	}
}
