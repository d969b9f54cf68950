package main

import (
	"os"
	"syscall"
)

// Signals that take others of the queues with them.
var signalCancelChecks = []check{
	{"continue-and-stop-cancel", onSignalThread(signalContinueAndStopCancel)},
	{"cancel-of-another-thread", onSignalThread(signalCancelOfAnotherThread)},
	{"cancel-though-ignored", onSignalThread(signalCancelThoughIgnored)},
}

var stopSignals = []syscall.Signal{syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU}

// pendingSet is what this thread blocks and has pending, of its own and of the process, without the
// runtime's own signal.
func pendingSet() (set uint64) {
	raw(syscall.SYS_RT_SIGPENDING, ptr(&set), 8)
	return set &^ bit(syscall.SIGURG)
}

// blockStops blocks SIGCONT and what would stop the process. The check ends with taken: nothing of them may be
// pending when they are unblocked.
func blockStops() (taken func()) {
	signals := append(stopSignals[:len(stopSignals):len(stopSignals)], syscall.SIGCONT)
	block(signals...)
	return func() {
		var set uint64
		for _, s := range signals {
			set |= bit(s)
		}
		for e := syscall.Errno(0); e == 0; {
			_, e = takeAgain(set, &siginfo{}, 0)
		}
	}
}

func signalContinueAndStopCancel(t *T) {
	defer blockStops()()
	block(syscall.SIGUSR1)
	sendSelf(syscall.SIGUSR1)
	var all uint64
	for _, s := range stopSignals {
		sendSelf(s)
		all |= bit(s)
	}
	t.Want("stop signals do not cancel each other", pendingSet(), all|bit(syscall.SIGUSR1))
	sendSelf(syscall.SIGCONT)
	t.Want("after SIGCONT", pendingSet(), bit(syscall.SIGCONT)|bit(syscall.SIGUSR1))
	sendSelf(syscall.SIGTTIN)
	t.Want("after SIGTTIN", pendingSet(), bit(syscall.SIGTTIN)|bit(syscall.SIGUSR1))
	var i siginfo
	s, _ := take(bit(syscall.SIGTTIN), &i, 0)
	t.Want("taken", s, syscall.SIGTTIN)
	t.Want("si_code", i.int(8), int32(siTkill))
	queue(syscall.SIGCONT, siQueue, 7)
	queue(syscall.SIGTSTP, siQueue, 8)
	queue(syscall.SIGCONT, siQueue, 9)
	s, _ = take(bit(syscall.SIGCONT)|bit(syscall.SIGTSTP), &i, 0)
	t.Want("the last one", s, syscall.SIGCONT)
	t.Want("its value", i[24], byte(9))
	_, e := take(bit(syscall.SIGCONT)|bit(syscall.SIGTSTP), &i, 0)
	t.Want("no more", e, syscall.EAGAIN)
}

// signalCancelOfAnotherThread: whoever it is sent to, all threads lose what it cancels.
func signalCancelOfAnotherThread(t *T) {
	defer blockStops()()
	ask, told := make(chan bool), make(chan uint64)
	go onOwnThread(func() {
		defer blockStops()()
		sendSelf(syscall.SIGTSTP)
		told <- pendingSet()
		for range ask {
			told <- pendingSet()
		}
	})
	t.Want("the other thread's", <-told, bit(syscall.SIGTSTP))
	sendSelf(syscall.SIGCONT)
	ask <- true
	t.Want("the other thread's after SIGCONT here", <-told, uint64(0))
	close(ask)
}

// signalCancelThoughIgnored: a signal that nobody gets to see cancels all the same.
func signalCancelThoughIgnored(t *T) {
	var old, oldStop sigaction
	rtSigaction(syscall.SIGCONT, &sigaction{}, &old)
	defer rtSigaction(syscall.SIGCONT, &old, nil)
	rtSigaction(syscall.SIGTSTP, &sigaction{handler: 1}, &oldStop)
	defer rtSigaction(syscall.SIGTSTP, &oldStop, nil)
	defer blockStops()() // before the actions are what they were
	sendSelf(syscall.SIGTTOU)
	t.Want("pending", pendingSet(), bit(syscall.SIGTTOU))
	t.Must("kill", syscall.Kill(os.Getpid(), syscall.SIGCONT)) // other threads do not block it
	t.Want("after SIGCONT for the process", pendingSet()&bit(syscall.SIGTTOU), uint64(0))
	sendSelf(syscall.SIGCONT)
	t.Want("pending", pendingSet()&bit(syscall.SIGCONT), bit(syscall.SIGCONT))
	t.Must("kill", syscall.Kill(os.Getpid(), syscall.SIGTSTP))
	t.Want("after SIGTSTP for the process", pendingSet()&bit(syscall.SIGCONT), uint64(0))
}
