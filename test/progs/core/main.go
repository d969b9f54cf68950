// Core is the guest programs that need no network: input and output, panics, goroutines, memory,
// files, time, signals.
package main

import "gosolo/progs/prog"

func main() {
	prog.Main(map[string]func([]string){
		// io.go
		"args": argsMain, "env": envMain, "cat": catMain, "output": outputMain,
		"exit-defer": exitDeferMain, "log": logMain, "nothing": func([]string) {},
		"cpus": cpusMain, "identity": identityMain, "terminal": terminalMain,
		// fail.go
		"panic": panicMain, "panic-error": panicErrorMain, "panic-goroutine": panicGoroutineMain,
		"panic-again": panicAgainMain, "nil": nilMain, "recover": recoverMain,
		"deadlock": deadlockMain, "overflow": overflowMain, "map-race": mapRaceMain,
		"fault": faultMain, "fault-high": faultHighMain, "fault-rodata": faultRodataMain,
		"fault-recover": faultRecoverMain, "breakpoint": breakpointMain, "goexit": goexitMain,
		"kill-self": killSelfMain, "out-of-memory": outOfMemoryMain,
		// wreck.go
		"stack-overrun": stackOverrunMain, "execute-data": executeDataMain,
		"execute-nowhere": executeNowhereMain, "jump-non-canonical": jumpNonCanonicalMain,
		"default-action": defaultActionMain, "fault-in-handler": faultInHandlerMain,
		"bad-altstack": badAltstackMain, "thread-limit": threadLimitMain,
		"thread-rlimit": threadRlimitMain, "threads-forever": threadsForeverMain,
		"huge-allocation": hugeAllocationMain, "out-of-mappings": outOfMappingsMain,
		"address-limit": addressLimitMain, "cpu-limit": cpuLimitMain,
		// sched.go
		"sieve": sieveMain, "preempt": preemptMain, "goroutines": goroutinesMain,
		"threads": threadsMain, "mutex": mutexMain, "channels": channelsMain, "spin": spinMain,
		// clock.go
		"clock": clockMain, "timers": timersMain, "context": contextMain, "zones": zonesMain,
		"monotonic": monotonicMain, "now": nowMain, "clock-watch": clockWatchMain, "clock-set": clockSetMain,
		// memory.go
		"churn": churnMain, "large": largeMain, "maps": mapsMain, "scavenge": scavengeMain,
		"finalizer": finalizerMain, "give-back": giveBackMain,
		// files.go
		"files": filesMain, "pipes": pipesMain, "devices": devicesMain, "etc": etcMain,
		"random": randomMain, "show": showMain,
		// signals.go
		"signal-self": signalSelfMain, "signal-wait": signalWaitMain, "signal-ignore": signalIgnoreMain,
		"wait": waitMain, "deaf": deafMain, "mapped": mappedMain, "stubborn": stubbornMain, "registers": registersMain,
	})
}
