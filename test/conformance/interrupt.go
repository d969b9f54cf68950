package main

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

// What a signal with a handler does to a call that sleeps.
var signalInterruptChecks = append([]check{
	{"restarted-calls", signalRestartedCalls},
	{"interrupted-calls", signalInterruptedCalls},
	{"never-restarted-calls", signalNeverRestartedCalls},
	{"polls-without-time", onSignalThread(signalPollsWithoutTime)},
	{"sleep-tells-the-rest", signalSleepTellsTheRest},
}, signalInterruptNoneChecks...)

// sleepingCall is a call that sleeps until finish is called.
type sleepingCall struct {
	name   string
	call   func() syscall.Errno
	finish func()
}

// restartable are calls that SA_RESTART begins again.
func restartable(t *T) (calls []sleepingCall, done func()) {
	var pipe, full, pair [2]int
	t.Must("pipe", syscall.Pipe(pipe[:]))
	t.Must("pipe", syscall.Pipe2(full[:], syscall.O_NONBLOCK))
	filled := 0
	for {
		n, err := syscall.Write(full[1], make([]byte, 4096))
		if err != nil {
			break
		}
		filled += n
	}
	syscall.SetNonblock(full[1], false)
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	t.Must("socketpair", err)
	dir, err := os.MkdirTemp("", "locks")
	t.Must("MkdirTemp", err)
	one, err := os.Create(dir + "/file")
	t.Must("Create", err)
	two, err := os.OpenFile(dir+"/file", os.O_RDWR, 0)
	t.Must("Open", err)
	t.Must("flock", syscall.Flock(int(one.Fd()), syscall.LOCK_EX))
	lock := func(kind int16, fd uintptr) error {
		return syscall.FcntlFlock(fd, 38 /* F_OFD_SETLKW */, &syscall.Flock_t{Type: kind})
	}
	t.Must("lock", lock(syscall.F_WRLCK, one.Fd()))
	listener, path := listenUnix(t, dir)
	var word uint32
	buf := make([]byte, 1)
	calls = []sleepingCall{
		{"read of a pipe", func() syscall.Errno { _, err := syscall.Read(pipe[0], buf); return errnoOf(err) },
			func() { syscall.Write(pipe[1], buf) }},
		{"write to a full pipe", func() syscall.Errno { _, err := syscall.Write(full[1], make([]byte, 8)); return errnoOf(err) },
			func() { syscall.Read(full[0], make([]byte, filled)) }},
		{"recvfrom", func() syscall.Errno {
			_, _, err := syscall.Recvfrom(pair[0], make([]byte, 1), 0)
			return errnoOf(err)
		}, func() { syscall.Write(pair[1], []byte{1}) }},
		{"accept", func() syscall.Errno {
			fd, _, err := syscall.Accept(listener)
			syscall.Close(fd)
			return errnoOf(err)
		}, func() { connectUnix(t, path) }},
		{"flock", func() syscall.Errno { return errnoOf(syscall.Flock(int(two.Fd()), syscall.LOCK_EX)) },
			func() { syscall.Flock(int(one.Fd()), syscall.LOCK_UN) }},
		{"fcntl F_OFD_SETLKW", func() syscall.Errno { return errnoOf(lock(syscall.F_WRLCK, two.Fd())) },
			func() { lock(syscall.F_UNLCK, one.Fd()) }},
		{"futex", func() syscall.Errno { _, e := futex(&word, futexWait|futexPrivate, 0, nil, nil, 0); return e },
			func() { futex(&word, futexWake|futexPrivate, 1, nil, nil, 0) }},
	}
	return calls, func() {
		for _, fd := range []int{pipe[0], pipe[1], full[0], full[1], pair[0], pair[1], listener} {
			syscall.Close(fd)
		}
		one.Close()
		two.Close()
		os.RemoveAll(dir)
	}
}

func listenUnix(t *T, dir string) (fd int, path string) {
	path = dir + "/socket"
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	t.Must("socket", err)
	t.Must("bind", syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}))
	t.Must("listen", syscall.Listen(fd, 4))
	return fd, path
}

func connectUnix(t *T, path string) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: path})
		syscall.Close(fd)
	}
	if err != nil {
		t.Errorf("connect: %v", err)
	}
}

// signalled makes a call on a thread of its own, which gets n SIGUSR2 while it sleeps; then it is
// finished, if it has not ended, and that is its result.
func signalled(c sleepingCall, n int) syscall.Errno {
	tid, result := make(chan int), make(chan syscall.Errno, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		tid <- syscall.Gettid()
		result <- c.call()
	}()
	target := <-tid
	for i := 0; i < n; i++ {
		time.Sleep(3 * time.Millisecond)
		tgkill(target, uintptr(syscall.SIGUSR2))
	}
	time.Sleep(3 * time.Millisecond)
	select {
	case e := <-result:
		if c.finish != nil {
			c.finish()
		}
		return e
	default:
		if c.finish != nil {
			c.finish()
		}
		return <-result
	}
}

func signalRestartedCalls(t *T) {
	signalling.Lock()
	defer signalling.Unlock()
	defer noteSignal(t, syscall.SIGUSR2, saRestart, 0)()
	calls, done := restartable(t)
	defer done()
	for _, c := range calls {
		before := runs()
		t.Want(c.name, signalled(c, 3), syscall.Errno(0))
		if runs() == before {
			t.Errorf("%s: no handler ran", c.name)
		}
	}
}

func signalInterruptedCalls(t *T) {
	signalling.Lock()
	defer signalling.Unlock()
	defer noteSignal(t, syscall.SIGUSR2, 0, 0)()
	calls, done := restartable(t)
	defer done()
	for _, c := range calls {
		for i := 0; ; i++ { // until the signal finds it asleep
			e := signalled(sleepingCall{c.name, c.call, func() {}}, 3)
			if e == syscall.EINTR {
				break
			}
			if i == 20 || e != 0 {
				t.Errorf("%s: %v", c.name, e)
				break
			}
		}
	}
}

func signalNeverRestartedCalls(t *T) {
	signalling.Lock()
	defer signalling.Unlock()
	defer noteSignal(t, syscall.SIGUSR2, saRestart, 0)()
	var pipe [2]int
	t.Must("pipe", syscall.Pipe(pipe[:]))
	defer syscall.Close(pipe[0])
	defer syscall.Close(pipe[1])
	epoll, err := syscall.EpollCreate1(0)
	t.Must("epoll_create1", err)
	defer syscall.Close(epoll)
	long, set := spec(time.Minute), bit(sigRT1)
	var word uint32
	sys := func(number uintptr, args ...uintptr) func() syscall.Errno {
		return func() syscall.Errno { _, e := call(number, args...); return e }
	}
	poll := [2]uint32{uint32(pipe[0]), 1}
	sets := [16]uint64{1 << pipe[0]}
	val := [2]int64{60, 0}
	events := make([]byte, 16)
	calls := []sleepingCall{
		{"poll", sys(syscall.SYS_POLL, ptr(&poll), 1, 60000), nil},
		{"ppoll", sys(syscall.SYS_PPOLL, ptr(&poll), 1, ptr(long), 0, 8), nil},
		{"select", sys(syscall.SYS_SELECT, uintptr(pipe[0]+1), ptr(&sets), 0, 0, ptr(&val)), nil},
		{"pselect6", sys(syscall.SYS_PSELECT6, uintptr(pipe[0]+1), ptr(&sets), 0, 0, ptr(spec(time.Minute)), 0), nil},
		{"epoll_wait", sys(syscall.SYS_EPOLL_WAIT, uintptr(epoll), ptr(&events[0]), 1, 60000), nil},
		{"epoll_pwait", sys(syscall.SYS_EPOLL_PWAIT, uintptr(epoll), ptr(&events[0]), 1, ^uintptr(0), 0, 8), nil},
		{"nanosleep", sys(syscall.SYS_NANOSLEEP, ptr(long), 0), nil},
		{"clock_nanosleep", sys(syscall.SYS_CLOCK_NANOSLEEP, 1, 0, ptr(long), 0), nil},
		{"clock_nanosleep until", sys(syscall.SYS_CLOCK_NANOSLEEP, 1, 1, ptr(now(t, 1).add(time.Minute)), 0), nil},
		{"rt_sigtimedwait", sys(syscall.SYS_RT_SIGTIMEDWAIT, ptr(&set), 0, ptr(long), 8), nil},
		{"rt_sigsuspend", sys(syscall.SYS_RT_SIGSUSPEND, ptr(&set), 8), nil},
		{"pause", sys(syscall.SYS_PAUSE), nil},
		{"futex with a time limit", sys(syscall.SYS_FUTEX, ptr(&word), futexWait|futexPrivate, 0, ptr(long)), nil},
	}
	for _, c := range calls {
		done := make(chan bool)
		sender := make(chan int)
		go func() { // until it ends: the first signals may come too early
			target := <-sender
			for {
				select {
				case <-done:
					return
				case <-time.After(2 * time.Millisecond):
					tgkill(target, uintptr(syscall.SIGUSR2))
				}
			}
		}()
		runtime.LockOSThread()
		sender <- syscall.Gettid()
		e := c.call()
		runtime.UnlockOSThread()
		close(done)
		t.Want(c.name, e, syscall.EINTR)
	}
}

func signalSleepTellsTheRest(t *T) {
	const whole = 30 * time.Second
	for _, number := range []uintptr{syscall.SYS_NANOSLEEP, syscall.SYS_CLOCK_NANOSLEEP} {
		var rest timespec
		interruptUntil(func() {
			args := []uintptr{ptr(spec(whole)), ptr(&rest)}
			if number == syscall.SYS_CLOCK_NANOSLEEP {
				args = append([]uintptr{1, 0}, args...)
			}
			_, e := call(number, args...)
			t.Want("error", e, syscall.EINTR)
		})
		left := time.Duration(rest.sec)*time.Second + time.Duration(rest.nsec)
		if left <= 0 || left >= whole {
			t.Errorf("%v left of %v", left, whole)
		}
	}
	rest := timespec{7, 7}
	interruptUntil(func() {
		_, e := call(syscall.SYS_CLOCK_NANOSLEEP, 1, 1, ptr(now(t, 1).add(whole)), ptr(&rest))
		t.Want("until a time", e, syscall.EINTR)
	})
	t.Want("until a time tells nothing", rest, timespec{7, 7})
}

// signalPollsWithoutTime: where nothing is ready and no time is left, a signal that the mask of the call
// lets in is what counts, but not with epoll; where something is ready, that.
func signalPollsWithoutTime(t *T) {
	defer noteSignal(t, syscall.SIGUSR2, 0, 0)()
	block(syscall.SIGUSR2)
	r, w := pipe(t, 0)
	defer closeFds(r, w)
	epoll, done := epollSet(t)
	defer done()
	var none uint64
	poll, bad := [2]uint32{uint32(r), 1}, [2]uint32{999, 1}
	mask := [2]uint64{uint64(ptr(&none)), 8}
	events := make([]byte, 16)
	for _, c := range []struct {
		name    string
		want    syscall.Errno
		handled uint64
		number  uintptr
		args    []uintptr
	}{
		{"ppoll", syscall.EINTR, 1, syscall.SYS_PPOLL, []uintptr{ptr(&poll), 1, ptr(spec(0)), ptr(&none), 8}},
		{"ppoll of a bad one", 0, 0, syscall.SYS_PPOLL, []uintptr{ptr(&bad), 1, ptr(spec(0)), ptr(&none), 8}},
		{"pselect6", syscall.EINTR, 1, syscall.SYS_PSELECT6, []uintptr{0, 0, 0, 0, ptr(spec(0)), ptr(&mask)}},
		{"epoll_pwait", 0, 0, syscall.SYS_EPOLL_PWAIT, []uintptr{uintptr(epoll), ptr(&events[0]), 1, 0, ptr(&none), 8}},
	} {
		before := runs()
		sendSelf(syscall.SIGUSR2)
		_, e := call(c.number, c.args...)
		t.Want(c.name, e, c.want)
		t.Want(c.name+": handlers", runs()-before, c.handled)
		take(bit(syscall.SIGUSR2), &siginfo{}, 0)
	}
}
