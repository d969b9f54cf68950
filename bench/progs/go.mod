module gosolo/bench/progs

go 1.22
