module gosolo/test/real/gopsutil

go 1.22

require (
	github.com/shirou/gopsutil/v4 v4.24.10
	golang.org/x/sys v0.26.0
)

require (
	github.com/tklauser/go-sysconf v0.3.12 // indirect
	github.com/tklauser/numcpus v0.6.1 // indirect
)
