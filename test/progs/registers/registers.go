// Package registers finds out whether a kernel keeps what a thread has in its registers, whatever
// interrupts it.
package registers

import "gosolo/progs/prog"

// registerFile is what holdValues loads and stores: 12 general registers, 16 vector registers of
// 32 bytes (the upper halves only where AVX is), MXCSR.
type registerFile struct {
	general [12]uint64
	vector  [16][4]uint64
	mxcsr   uint32
	pad     uint32
}

// holdValues loads every register from in, spins, and stores every register to out.
//
//go:noescape
func holdValues(in, out *registerFile, spins uint64)

// holdValuesAVX is holdValues with whole YMM registers.
//
//go:noescape
func holdValuesAVX(in, out *registerFile, spins uint64)

// hasAVX says whether the CPU and the kernel both offer AVX.
func hasAVX() bool

var avx = hasAVX()

// Hold fills every register with values that worker and round give, spins for a moment, and ends the
// program if one has changed.
func Hold(worker, round uint64) {
	var in, out registerFile
	x := worker<<32 ^ round
	next := func() uint64 {
		x = x*6364136223846793005 + 1442695040888963407
		return x
	}
	for i := range in.general {
		in.general[i] = next()
	}
	for i := range in.vector {
		for j := range in.vector[i] {
			in.vector[i][j] = next()
		}
	}
	in.mxcsr = 0x1f80 | uint32(round%4)<<13 // each rounding mode
	if avx {
		holdValuesAVX(&in, &out, 3000)
	} else {
		holdValues(&in, &out, 3000)
		for i := range out.vector { // not loaded, not stored
			out.vector[i][2], out.vector[i][3] = in.vector[i][2], in.vector[i][3]
		}
	}
	prog.Check(in.general == out.general, "general registers\n%#x became\n%#x", in.general, out.general)
	prog.Check(in.vector == out.vector, "vector registers\n%#x became\n%#x", in.vector, out.vector)
	prog.Check(in.mxcsr == out.mxcsr, "MXCSR %#x became %#x", in.mxcsr, out.mxcsr)
}
