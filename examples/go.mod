module gosolo/examples

go 1.22
