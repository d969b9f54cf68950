module gosolo/e2e

go 1.22
