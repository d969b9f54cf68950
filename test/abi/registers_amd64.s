#include "textflag.h"

// struct state: BX DX R8 R9 R10 R12 R13 R14 R15 DI SI, one unused, RAX; X0-X15; MXCSR. After the call
// the only register that is free to use is RCX.

#define LOAD \
	MOVOU 104(SI), X0; \
	MOVOU 120(SI), X1; \
	MOVOU 136(SI), X2; \
	MOVOU 152(SI), X3; \
	MOVOU 168(SI), X4; \
	MOVOU 184(SI), X5; \
	MOVOU 200(SI), X6; \
	MOVOU 216(SI), X7; \
	MOVOU 232(SI), X8; \
	MOVOU 248(SI), X9; \
	MOVOU 264(SI), X10; \
	MOVOU 280(SI), X11; \
	MOVOU 296(SI), X12; \
	MOVOU 312(SI), X13; \
	MOVOU 328(SI), X14; \
	MOVOU 344(SI), X15; \
	MOVQ 0(SI), BX; \
	MOVQ 8(SI), DX; \
	MOVQ 16(SI), R8; \
	MOVQ 24(SI), R9; \
	MOVQ 32(SI), R10; \
	MOVQ 40(SI), R12; \
	MOVQ 48(SI), R13; \
	MOVQ 56(SI), R14; \
	MOVQ 64(SI), R15; \
	MOVQ 72(SI), DI

#define STORE \
	MOVQ BX, 0(CX); \
	MOVQ DX, 8(CX); \
	MOVQ R8, 16(CX); \
	MOVQ R9, 24(CX); \
	MOVQ R10, 32(CX); \
	MOVQ R12, 40(CX); \
	MOVQ R13, 48(CX); \
	MOVQ R14, 56(CX); \
	MOVQ R15, 64(CX); \
	MOVQ DI, 72(CX); \
	MOVOU X0, 104(CX); \
	MOVOU X1, 120(CX); \
	MOVOU X2, 136(CX); \
	MOVOU X3, 152(CX); \
	MOVOU X4, 168(CX); \
	MOVOU X5, 184(CX); \
	MOVOU X6, 200(CX); \
	MOVOU X7, 216(CX); \
	MOVOU X8, 232(CX); \
	MOVOU X9, 248(CX); \
	MOVOU X10, 264(CX); \
	MOVOU X11, 280(CX); \
	MOVOU X12, 296(CX); \
	MOVOU X13, 312(CX); \
	MOVOU X14, 328(CX); \
	MOVOU X15, 344(CX)

// func acrossCall(in, out *state, number uint64)
TEXT ·acrossCall(SB), NOSPLIT, $8-24
	STMXCSR	saved-8(SP)
	MOVQ	in+0(FP), SI
	MOVQ	number+16(FP), AX
	LDMXCSR	360(SI)
	LOAD
	MOVQ	80(SI), SI
	SYSCALL
	MOVQ	out+8(FP), CX
	STORE
	MOVQ	SI, 80(CX)
	MOVQ	AX, 96(CX)
	STMXCSR	360(CX)
	LDMXCSR	saved-8(SP)
	RET
