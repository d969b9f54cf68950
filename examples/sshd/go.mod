module gosolo/examples/sshd

go 1.23.0

require golang.org/x/crypto v0.36.0

require golang.org/x/sys v0.31.0 // indirect
