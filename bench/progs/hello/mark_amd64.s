#include "textflag.h"

// nopl 0x6f676f40(%rax): mark 0
TEXT ·markMain(SB), NOSPLIT, $0-0
	BYTE $0x0f; BYTE $0x1f; BYTE $0x80; BYTE $0x40; BYTE $0x6f; BYTE $0x67; BYTE $0x6f
	RET

// nopl 0x6f676f41(%rax): mark 1
TEXT ·markLine(SB), NOSPLIT, $0-0
	BYTE $0x0f; BYTE $0x1f; BYTE $0x80; BYTE $0x41; BYTE $0x6f; BYTE $0x67; BYTE $0x6f
	RET
