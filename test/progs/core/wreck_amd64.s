#include "textflag.h"

// func onStack(top uintptr)
// Leaves Go's stack for good, and calls without end: a call instruction that calls itself, in bytes,
// since the linker refuses such a cycle.
TEXT ·onStack(SB), NOSPLIT, $0-8
	MOVQ	top+0(FP), AX
	MOVQ	AX, SP
	BYTE	$0xe8
	LONG	$0xfffffffb
	RET

// A handler that faults.
TEXT ·faultyHandler(SB), NOSPLIT|NOFRAME, $0
	XORL	AX, AX
	MOVQ	AX, (AX)
	RET

// func faultyHandlerAddress() uintptr
TEXT ·faultyHandlerAddress(SB), NOSPLIT, $0-8
	LEAQ	·faultyHandler(SB), AX
	MOVQ	AX, ret+0(FP)
	RET
