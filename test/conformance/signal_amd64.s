#include "textflag.h"

// A handler that notes: how often it ran, its siginfo, its mask. While handlerNest is not 0 it sends
// its own signal to its own thread and notes whether that ran inside.
TEXT ·noteHandler(SB), NOSPLIT|NOFRAME, $0
	PUSHQ	BX
	PUSHQ	R12
	PUSHQ	R13
	MOVQ	DI, BX
	MOVQ	$1, AX
	LOCK
	XADDQ	AX, ·handlerRuns(SB)
	CLD
	LEAQ	·handlerInfo(SB), DI
	MOVQ	$16, CX
	REP; MOVSQ
	XORL	DI, DI
	XORL	SI, SI
	LEAQ	·handlerMask(SB), DX
	MOVL	$8, R10
	MOVL	$14, AX
	SYSCALL
	MOVQ	·handlerNest(SB), AX
	TESTQ	AX, AX
	JEQ	done
	DECQ	·handlerNest(SB)
	MOVL	$39, AX
	SYSCALL
	MOVQ	AX, R12
	MOVL	$186, AX
	SYSCALL
	MOVQ	R12, DI
	MOVQ	AX, SI
	MOVQ	BX, DX
	MOVL	$234, AX
	SYSCALL
	MOVQ	·handlerRuns(SB), AX
	MOVQ	AX, ·handlerRunsInside(SB)
done:
	POPQ	R13
	POPQ	R12
	POPQ	BX
	RET

// func noteHandlerAddress() uintptr
TEXT ·noteHandlerAddress(SB), NOSPLIT, $0-8
	LEAQ	·noteHandler(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// A handler that counts where it ran on the thread that is watched.
TEXT ·watchHandler(SB), NOSPLIT|NOFRAME, $0
	MOVL	$186, AX
	SYSCALL
	CMPQ	AX, ·watchedThread(SB)
	JNE	other
	MOVQ	$1, AX
	LOCK
	XADDQ	AX, ·watchedRuns(SB)
other:
	RET

// func watchHandlerAddress() uintptr
TEXT ·watchHandlerAddress(SB), NOSPLIT, $0-8
	LEAQ	·watchHandler(SB), AX
	MOVQ	AX, ret+0(FP)
	RET
