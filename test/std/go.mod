module gosolo/std

go 1.22
