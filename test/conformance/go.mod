module gosolo/conformance

go 1.22
