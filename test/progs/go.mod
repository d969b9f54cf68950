module gosolo/progs

go 1.22
