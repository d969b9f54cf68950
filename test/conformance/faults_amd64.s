#include "textflag.h"

// Running code that faults, and looking at what the kernel tells a handler: see faults.go. All state
// is in variables of Go; one probe runs at a time.

// func probe(code uintptr, in, out *probeRegisters)
// Loads the registers, calls code, stores the registers; or is left by probeHandler.
TEXT ·probe(SB), NOSPLIT|NOFRAME, $0-24
	MOVQ	SP, ·probeSP(SB)
	MOVQ	BP, ·probeBP(SB)
	MOVQ	24(SP), AX
	MOVQ	AX, ·probeOut(SB)
	MOVQ	8(SP), R11
	MOVQ	16(SP), R15
	MOVQ	0(R15), AX
	MOVQ	8(R15), BX
	MOVQ	16(R15), CX
	MOVQ	24(R15), DX
	MOVQ	32(R15), SI
	MOVQ	40(R15), DI
	MOVQ	48(R15), BP
	MOVQ	56(R15), R8
	MOVQ	64(R15), R9
	MOVQ	72(R15), R10
	MOVQ	88(R15), R12
	MOVQ	96(R15), R13
	MOVQ	104(R15), R14
	MOVQ	112(R15), R15
	CALL	R11
	MOVQ	R15, ·probeSaved(SB)
	MOVQ	·probeOut(SB), R15
	MOVQ	AX, 0(R15)
	MOVQ	BX, 8(R15)
	MOVQ	CX, 16(R15)
	MOVQ	DX, 24(R15)
	MOVQ	SI, 32(R15)
	MOVQ	DI, 40(R15)
	MOVQ	BP, 48(R15)
	MOVQ	R8, 56(R15)
	MOVQ	R9, 64(R15)
	MOVQ	R10, 72(R15)
	MOVQ	R11, 80(R15)
	MOVQ	R12, 88(R15)
	MOVQ	R13, 96(R15)
	MOVQ	R14, 104(R15)
	MOVQ	·probeSaved(SB), AX
	MOVQ	AX, 112(R15)
	MOVQ	·probeBP(SB), BP
	RET

// Where a handler resumes: with the stack as probe's caller left it.
TEXT ·probeLanded(SB), NOSPLIT|NOFRAME, $0
	MOVQ	·probeBP(SB), BP
	RET

// The handler: RDI signal, RSI siginfo, RDX ucontext. Copies what it is given, then goes on behind
// the instruction (probeSkip bytes on), or lands.
TEXT ·probeHandler(SB), NOSPLIT|NOFRAME, $0
	INCQ	·probeHits(SB)
	MOVQ	DI, ·probeEntry+0(SB)
	MOVQ	SI, ·probeEntry+8(SB)
	MOVQ	DX, ·probeEntry+16(SB)
	MOVQ	SP, ·probeEntry+24(SB)
	PUSHFQ
	POPQ	AX
	MOVQ	AX, ·probeEntry+32(SB)
	MOVQ	0(SP), AX
	MOVQ	AX, ·probeEntry+40(SB)
	STMXCSR	·probeEntry+48(SB)
	FSTCW	·probeEntry+52(SB)
	MOVOU	X0, ·probeVector+0(SB)
	MOVOU	X7, ·probeVector+16(SB)
	MOVOU	X15, ·probeVector+32(SB)
	CLD
	MOVQ	DX, R8
	LEAQ	·probeInfo(SB), DI
	MOVQ	$16, CX
	REP; MOVSQ
	MOVQ	R8, SI
	LEAQ	·probeContext(SB), DI
	MOVQ	$38, CX
	REP; MOVSQ
	MOVQ	224(R8), SI // fpstate
	TESTQ	SI, SI
	JEQ	nofpu
	MOVL	$512, CX
	CMPL	464(SI), $0x46505853 // FP_XSTATE_MAGIC1
	JNE	short
	MOVL	468(SI), CX
	CMPL	CX, $4096
	JBE	short
	MOVL	$4096, CX
short:
	LEAQ	·probeFPU(SB), DI
	REP; MOVSB
nofpu:
	MOVL	176(R8), AX
	ANDL	$~0x40500, AX // TF, DF, AC
	MOVQ	AX, 176(R8)
	MOVQ	·probeSkip(SB), AX
	TESTQ	AX, AX
	JEQ	land
	ADDQ	AX, 168(R8)
	RET
land:
	MOVQ	·probeSP(SB), AX
	MOVQ	AX, 160(R8)
	LEAQ	·probeLanded(SB), AX
	MOVQ	AX, 168(R8)
	RET

TEXT ·probeRestorer(SB), NOSPLIT|NOFRAME, $0
	MOVL	$15, AX
	SYSCALL
	INT	$3

// func probeAddresses() (handler, restorer uintptr)
TEXT ·probeAddresses(SB), NOSPLIT, $0-16
	LEAQ	·probeHandler(SB), AX
	MOVQ	AX, handler+0(FP)
	LEAQ	·probeRestorer(SB), AX
	MOVQ	AX, restorer+8(FP)
	RET
