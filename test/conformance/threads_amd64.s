#include "textflag.h"

// func cloneCall(number, stack uintptr, result, tid unsafe.Pointer)
// A bare thread, which makes one system call without arguments, stores the result, and ends. tid is
// its number, and 0 after its end.
TEXT ·cloneCall(SB), NOSPLIT, $0-32
	MOVQ	number+0(FP), R12
	MOVQ	result+16(FP), R13
	MOVQ	stack+8(FP), SI
	MOVQ	tid+24(FP), DX
	MOVQ	DX, R10
	MOVL	$0x350f00, DI // VM FS FILES SIGHAND THREAD SYSVSEM PARENT_SETTID CHILD_CLEARTID
	MOVL	$56, AX
	SYSCALL
	TESTQ	AX, AX
	JEQ	child
	RET
child:
	MOVQ	R12, AX
	SYSCALL
	MOVQ	AX, (R13)
	XORL	DI, DI
	MOVL	$60, AX
	SYSCALL
	INT	$3
