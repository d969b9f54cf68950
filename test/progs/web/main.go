// Web is the guest programs that use the network: TCP, UDP, HTTP and HTTPS, with the host and with
// themselves.
package main

import "gosolo/progs/prog"

func main() {
	prog.Main(map[string]func([]string){
		// host.go: the other side is the test
		"tcp-echo": tcpEchoMain, "udp-echo": udpEchoMain,
		"urgent-listen": urgentListenMain, "urgent-dial": urgentDialMain,
		"tcp-client": tcpClientMain, "udp-client": udpClientMain, "drain": drainMain,
		// loopback.go: the other side is another goroutine
		"loopback": loopbackMain, "half-close": halfCloseMain, "refused": refusedMain,
		"deadlines": deadlinesMain, "copy": copyMain, "reset": resetMain, "udp": udpMain,
		"localhost": localhostMain, "many": manyMain, "accept-close": acceptCloseMain,
		"last-bytes": lastBytesMain, "addresses": addressesMain,
		// web.go
		"http": httpMain, "https": httpsMain, "serve": serveMain, "serve-tls": serveTLSMain,
		"get": getMain,
	})
}
