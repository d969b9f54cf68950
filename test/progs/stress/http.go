package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"gosolo/progs/prog"
)

const (
	httpClients  = 4
	httpBigBytes = 200_000
	httpLinger   = 62 * time.Second // TIME_WAIT, and a tick or two
)

// httpMain sends N requests to a server in this program, most of which end in the middle, in one way
// or another: and no descriptor, goroutine, thread or page of the kernel is left over.
func httpMain(args []string) {
	n := prog.Int(args, 0, 600)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	prog.Must(err)
	server := &http.Server{Handler: httpHandler(), ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(l)
	addr := l.Addr().String()
	httpLoad(addr, 30*httpClients) // so that caches are full
	if _, err := os.Stat("/proc/gosolo"); err == nil {
		time.Sleep(httpLinger) // else what lingers would count as being there before
	}
	before := takeCounts()
	httpLoad(addr, n)
	mustReturnTo(before, fmt.Sprint(n, " requests"))
	prog.Must(server.Close())
	fmt.Println(n, "requests, nothing left over")
}

func httpBig() []byte { return bytes.Repeat([]byte("0123456789"), httpBigBytes/10) }

func httpHandler() http.Handler {
	big := httpBig()
	mux := http.NewServeMux()
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(big)))
		w.Write(big)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	return mux
}

func httpLoad(addr string, n int) {
	var wg sync.WaitGroup
	for c := 0; c < httpClients; c++ {
		wg.Add(1)
		go func(c int) {
			defer wg.Done()
			for i := c; i < n; i += httpClients {
				httpOne(addr, i)
			}
		}(c)
	}
	wg.Wait()
}

// httpOne is one connection; which way it goes depends on i.
func httpOne(addr string, i int) {
	conn, err := net.Dial("tcp4", addr)
	prog.Must(err)
	c := conn.(*net.TCPConn)
	defer c.Close()
	prog.Must(c.SetDeadline(time.Now().Add(2 * time.Minute)))
	get := "GET /big HTTP/1.1\r\nHost: h\r\n\r\n"
	switch i % 6 {
	case 0: // two requests on one connection, answered whole
		httpWhole(c, get)
		httpWhole(c, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
	case 1: // reset as soon as it was asked
		io.WriteString(c, get)
		prog.Must(c.SetLinger(0))
	case 2: // gone in the middle of the answer
		io.WriteString(c, get)
		io.ReadFull(c, make([]byte, 5000))
	case 3: // the other half stays open for the answer
		io.WriteString(c, strings.Replace(get, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
		prog.Must(c.CloseWrite())
		answer, err := io.ReadAll(c)
		prog.Check(err == nil && bytes.HasSuffix(answer, httpBig()), "half closed: %d bytes, %v", len(answer), err)
	case 4: // half a header
		io.WriteString(c, get[:20])
	case 5: // half a body
		io.WriteString(c, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhello")
	}
}

func httpWhole(c net.Conn, request string) {
	_, err := io.WriteString(c, request)
	prog.Must(err)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	prog.Must(err)
	body, err := io.ReadAll(answer.Body)
	prog.Must(err)
	if strings.HasPrefix(request, "POST") {
		prog.Check(string(body) == "hello", "echo of %q", body)
	} else {
		prog.Check(bytes.Equal(body, httpBig()), "%d bytes, not those of /big", len(body))
	}
}

// httpFind is the number behind a name at the beginning of a line.
func httpFind(text, name string) int {
	for _, line := range strings.Split(text, "\n") {
		if words := strings.Fields(line); len(words) >= 2 && words[0] == name {
			n, err := strconv.Atoi(words[1])
			prog.Must(err)
			return n
		}
	}
	prog.Check(false, "no %s", name)
	return 0
}
