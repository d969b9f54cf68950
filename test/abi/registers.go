package main

import "fmt"

// state is what acrossCall loads before a system call and finds after it.
type state struct {
	general [13]uint64 // BX DX R8 R9 R10 R12 R13 R14 R15 DI SI, one unused, RAX
	vector  [16][2]uint64
	mxcsr   uint32
	pad     uint32
}

// acrossCall makes the system call with every register loaded from in, and stores what they hold
// after it to out.
//
//go:noescape
func acrossCall(in, out *state, number uint64)

// registers: a call changes RAX, RCX and R11 and nothing else.
func registers() {
	calls := []struct {
		name   string
		number uint64
		result bool // of the call: is it an error?
	}{
		{"getpid", 39, false}, {"gettid", 186, false}, {"sched_yield", 24, false},
		{"close -1", 3, true}, {"unknown", 5000, true}, {"clock_gettime", 228, true},
	}
	for _, c := range calls {
		bad := ""
		for round := 0; round < 1000; round++ {
			var in, out state
			x := uint64(round)
			next := func() uint64 {
				x = x*6364136223846793005 + 1442695040888963407
				return x | 1<<63 // as an argument: neither a valid fd nor an address
			}
			for i := range in.general {
				in.general[i] = next()
			}
			for i := range in.vector {
				in.vector[i] = [2]uint64{next(), next()}
			}
			in.mxcsr = 0x1f80 | uint32(round%4)<<13
			in.general[9] = 0xffffffff // DI: as a file descriptor, -1
			acrossCall(&in, &out, c.number)
			failed := out.general[12] > 0xfffffffffffff000
			in.general[11], in.general[12] = out.general[11], out.general[12]
			if in != out || failed != c.result {
				bad = fmt.Sprintf("%#x\n%#x", in, out)
			}
		}
		fmt.Println(c.name, "keeps registers", bad == "", bad)
	}
}
