package main

import "syscall"

// What a handler runs with: its mask, its stack.
var signalHandlerChecks = []check{
	{"handler-mask", onSignalThread(signalHandlerMask)},
	{"handler-deferred", onSignalThread(signalHandlerDeferred)},
	{"handler-nodefer", onSignalThread(signalHandlerNodefer)},
	{"handler-resethand", onSignalThread(signalHandlerResethand)},
	{"handler-on-own-stack", onSignalThread(signalHandlerOnOwnStack)},
	{"altstack-arguments", onSignalThread(signalAltstackArguments)},
	{"altstack-autodisarm", onSignalThread(signalAltstackAutodisarm)},
}

func signalHandlerMask(t *T) {
	defer noteSignal(t, syscall.SIGUSR2, 0, bit(sigRT1)|bit(syscall.SIGKILL))()
	old := setMask(bit(sigRT2))
	sendSelf(syscall.SIGUSR2)
	t.Want("in the handler", handlerMask, bit(sigRT1)|bit(sigRT2)|bit(syscall.SIGUSR2))
	t.Want("after it", setMask(old), bit(sigRT2))
}

func signalHandlerDeferred(t *T) {
	defer noteSignal(t, syscall.SIGUSR2, 0, 0)()
	handlerNest = 1
	sendSelf(syscall.SIGUSR2)
	t.Want("inside", handlerRunsInside, uint64(1))
	t.Want("in all", runs(), uint64(2))
}

func signalHandlerNodefer(t *T) {
	defer noteSignal(t, syscall.SIGUSR2, saNodefer, 0)()
	handlerNest = 3
	sendSelf(syscall.SIGUSR2)
	t.Want("inside", handlerRunsInside, uint64(4))
	t.Want("in all", runs(), uint64(4))
	t.Want("mask in the handler", handlerMask&bit(syscall.SIGUSR2), uint64(0))
}

func signalHandlerResethand(t *T) {
	defer noteSignal(t, syscall.SIGWINCH, saResethd, 0)()
	sendSelf(syscall.SIGWINCH)
	sendSelf(syscall.SIGWINCH)
	t.Want("in all", runs(), uint64(1))
	var got sigaction
	rtSigaction(syscall.SIGWINCH, nil, &got)
	t.Want("handler after", got.handler, uint64(0))
}

// signalHandlerOnOwnStack: without SA_ONSTACK the frame lies on the stack that was interrupted.
func signalHandlerOnOwnStack(t *T) {
	a := mapPages(t, 8, rw)
	defer unmap(t, a, 8)
	withHandler(t, func() {
		handler, restorer := probeAddresses()
		act := sigaction{uint64(handler), saSiginfo | saRestorer, uint64(restorer), ^uint64(0)}
		rtSigaction(syscall.SIGTRAP, &act, nil)
		probeHits = 0
		code := codePage(t, []byte{0x48, 0x89, 0xc4, 0xcc}) // mov %rax,%rsp; int3
		probe(code, &probeRegisters{rAX: uint64(a) + 8*page}, &probeRegisters{})
		unmap(t, code, 1)
	})
	t.Want("signals", probeHits, uint64(1))
	if sp := probeEntry[3]; sp < uint64(a) || sp >= uint64(a)+8*page {
		t.Errorf("RSP %#x is not on the stack at %#x", sp, a)
	}
	if top := uint64(a) + 8*page - 128; probeEntry[1]+128 > top || context(ucFPU)+512 > top {
		t.Errorf("the frame is in the red zone")
	}
}

func altstack(fresh, old *stackT) syscall.Errno {
	_, e := raw(syscall.SYS_SIGALTSTACK, ptr(fresh), ptr(old))
	return e
}

func signalAltstackArguments(t *T) {
	a := mapPages(t, 16, rw)
	defer unmap(t, a, 16)
	var gos, got stackT
	t.Want("get", altstack(nil, &gos), syscall.Errno(0))
	t.Want("Go's size", gos.size, uint64(32768))
	t.Want("Go's flags", gos.flags, int32(0))
	setMask(^uint64(0)) // no signal needs a stack meanwhile
	t.Want("too small", altstack(&stackT{a, 0, 2047}, nil), syscall.ENOMEM)
	t.Want("flags", altstack(&stackT{a, 8, 16 * page}, nil), syscall.EINVAL)
	t.Want("set", altstack(&stackT{a, 0, 16 * page}, &got), syscall.Errno(0))
	t.Want("the old one", got, gos)
	t.Want("off", altstack(&stackT{a, 2, 0}, &got), syscall.Errno(0))
	t.Want("the one before", got, stackT{a, 0, 16 * page})
	t.Want("get", altstack(nil, &got), syscall.Errno(0))
	t.Want("off is", got, stackT{0, 2, 0})
	t.Want("back", altstack(&gos, nil), syscall.Errno(0))
}

func signalAltstackAutodisarm(t *T) {
	const autodisarm = -1 << 31
	a := mapPages(t, 16, rw)
	defer unmap(t, a, 16)
	var gos, got stackT
	altstack(nil, &gos)
	old := setMask(^bit(syscall.SIGUSR2))
	restore := noteSignal(t, syscall.SIGUSR2, 0, 0)
	t.Want("set", altstack(&stackT{a, autodisarm, 16 * page}, nil), syscall.Errno(0))
	sendSelf(syscall.SIGUSR2)
	t.Want("handled", runs(), uint64(1))
	t.Want("get", altstack(nil, &got), syscall.Errno(0))
	t.Want("armed again after the handler", got, stackT{a, autodisarm, 16 * page})
	restore()
	altstack(&gos, nil)
	setMask(old)
}
