#include "textflag.h"

// func cloneCall(number, stack uintptr, result, tid unsafe.Pointer)
// A bare thread, which makes one system call, with 0 for the first two arguments, stores the result, and ends. tid is
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
	XORL	DI, DI
	XORL	SI, SI
	SYSCALL
	MOVQ	AX, (R13)
	XORL	DI, DI
	MOVL	$60, AX
	SYSCALL
	INT	$3

// func cloneBare(flags, stack, parent, child, tls uintptr, done *uint32) (result uintptr)
// A thread that touches no stack: it stores 1 at done, and ends.
TEXT ·cloneBare(SB), NOSPLIT, $0-56
	MOVQ	flags+0(FP), DI
	MOVQ	stack+8(FP), SI
	MOVQ	parent+16(FP), DX
	MOVQ	child+24(FP), R10
	MOVQ	tls+32(FP), R8
	MOVQ	done+40(FP), R13
	MOVL	$56, AX
	SYSCALL
	TESTQ	AX, AX
	JEQ	child
	MOVQ	AX, result+48(FP)
	RET
child:
	MOVL	$1, (R13)
	XORL	DI, DI
	MOVL	$60, AX
	SYSCALL
	INT	$3
