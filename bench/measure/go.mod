module gosolo/bench/measure

go 1.22
