module gosolo/real

go 1.22
