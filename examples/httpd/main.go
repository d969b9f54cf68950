// Httpd is a plain net/http server on port 8080: one page that says which Go it was built with,
// how long it has been up and how many goroutines it has. SIGINT (Ctrl-C) and SIGTERM end it
// gracefully, through its own signal handler.
//
//	gosolo run -p 8080:8080 ./examples/httpd
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

var started = time.Now()

const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>gosolo</title></head>
<body style="font-family: sans-serif; margin: 3em">
<h1>Go without the operating system</h1>
<table>
<tr><td>Go</td><td>%s</td></tr>
<tr><td>up</td><td>%v</td></tr>
<tr><td>goroutines</td><td>%d</td></tr>
<tr><td>CPUs</td><td>%d</td></tr>
<tr><td>you are</td><td>%s</td></tr>
</table>
</body>
</html>
`

func index(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, page, runtime.Version(), time.Since(started).Round(time.Millisecond),
		runtime.NumGoroutine(), runtime.NumCPU(), r.RemoteAddr)
}

func serve(ctx context.Context, addr string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/", index)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println("listening on", addr)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return err
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	addr := ":8080"
	if len(os.Args) > 1 {
		addr = os.Args[1]
	}
	if err := serve(ctx, addr); err != nil {
		fmt.Fprintln(os.Stderr, "httpd:", err)
		os.Exit(1)
	}
	fmt.Println("bye")
}
