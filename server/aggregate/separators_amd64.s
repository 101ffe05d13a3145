#include "textflag.h"

// FIND sets where R8 points, offset further, to the bits of the bytes in X0 to X3
// that are those in BYTE. SSE2 is all it takes, which every amd64 has.
#define FIND(BYTE, offset) \
	MOVO     X0, X4      \
	MOVO     X1, X5      \
	MOVO     X2, X6      \
	MOVO     X3, X7      \
	PCMPEQB  BYTE, X4    \
	PCMPEQB  BYTE, X5    \
	PCMPEQB  BYTE, X6    \
	PCMPEQB  BYTE, X7    \
	PMOVMSKB X4, AX      \
	PMOVMSKB X5, BX      \
	PMOVMSKB X6, CX      \
	PMOVMSKB X7, DX      \
	SHLQ     $16, BX     \
	SHLQ     $32, CX     \
	SHLQ     $48, DX     \
	ORQ      BX, AX      \
	ORQ      DX, CX      \
	ORQ      CX, AX      \
	MOVQ     AX, offset(R8)

// func findSeparators(blocks *separators, bytes *byte, n int)
TEXT ·findSeparators(SB), NOSPLIT, $0-24
	MOVQ       blocks+0(FP), R8
	MOVQ       bytes+8(FP), SI
	MOVQ       n+16(FP), DI
	MOVQ       $0x0a0a0a0a0a0a0a0a, AX // line breaks
	MOVQ       AX, X12
	PUNPCKLQDQ X12, X12
	MOVQ       $0x3a3a3a3a3a3a3a3a, AX // colons
	MOVQ       AX, X13
	PUNPCKLQDQ X13, X13

next:
	MOVOU (SI), X0
	MOVOU 16(SI), X1
	MOVOU 32(SI), X2
	MOVOU 48(SI), X3
	FIND(X12, 0)
	FIND(X13, 8)
	ADDQ  $64, SI
	ADDQ  $16, R8
	DECQ  DI
	JNZ   next
	RET
