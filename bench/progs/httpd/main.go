// Httpd is the server that HTTP numbers are taken with:
//
//	/          "hello, world\n", 13 bytes
//	/bytes?n=N N zero bytes, in writes of 64 KiB
//
// It listens on :8080 and prints "listening" when it does.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
)

func bytes(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.FormValue("n"))
	if err != nil || n < 0 {
		http.Error(w, "n must be a number", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(n))
	zeros := make([]byte, 64<<10)
	for n > 0 {
		m, err := w.Write(zeros[:min(n, len(zeros))])
		if err != nil {
			return // the client went away
		}
		n -= m
	}
}

func main() {
	http.HandleFunc("/bytes", bytes)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("hello, world\n"))
	})
	l, err := net.Listen("tcp", ":8080")
	if err == nil {
		fmt.Println("listening")
		err = http.Serve(l, nil)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
