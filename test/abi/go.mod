module gosolo/abi

go 1.22
