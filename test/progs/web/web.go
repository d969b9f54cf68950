package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"gosolo/progs/prog"
)

func mux() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s\n", r.FormValue("name"))
	})
	m.HandleFunc("/bytes", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.FormValue("n"))
		b := make([]byte, n)
		prog.Pattern(b, uint64(n))
		w.Write(b)
	})
	m.HandleFunc("/sum", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d %#x %v\n", len(b), prog.Sum(b), err)
	})
	m.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("say") != "" {
			fmt.Println("slow request began")
		}
		time.Sleep(time.Second)
		io.WriteString(w, "slow answer\n")
	})
	m.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) {
		panic(http.ErrAbortHandler)
	})
	return m
}

// exercise is a client that tries what a server does; every line it prints is the same everywhere.
func exercise(client *http.Client, base string) {
	show := func(name string, r *http.Response, err error) {
		if err != nil {
			fmt.Println(name, "failed:", err)
			return
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if len(b) > 100 {
			fmt.Printf("%s %s %d bytes %#x %v\n", name, r.Status, len(b), prog.Sum(b), err)
		} else {
			fmt.Printf("%s %s %q %v\n", name, r.Status, b, err)
		}
	}
	for i := 0; i < 3; i++ { // on one kept-alive connection
		r, err := client.Get(base + "/hello?name=" + strconv.Itoa(i))
		show("get", r, err)
	}
	r, err := client.Get(base + "/bytes?n=1500000")
	show("large", r, err)
	body := make([]byte, 700_000)
	prog.Pattern(body, 8)
	r, err = client.Post(base+"/sum", "application/octet-stream", bytes.NewReader(body))
	show("post", r, err)
	r, err = client.Get(base + "/missing")
	show("missing", r, err)
	_, err = client.Get(base + "/panic")
	fmt.Println("aborted", err != nil)

	var wg sync.WaitGroup
	for i := 0; i < 20; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			want := fmt.Sprintf("hello, %d\n", i)
			for j := 0; j < 5; j++ {
				r, err := client.Get(base + "/hello?name=" + strconv.Itoa(i))
				prog.Must(err)
				got, err := io.ReadAll(r.Body)
				r.Body.Close()
				prog.Check(err == nil && string(got) == want, "%d: %q %v", i, got, err)
			}
		}()
	}
	wg.Wait()
	fmt.Println("a hundred requests")
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", base+"/slow", nil)
	prog.Must(err)
	_, err = client.Do(req)
	fmt.Println("timeout", errors.Is(err, context.DeadlineExceeded))
	client.CloseIdleConnections()
}

func httpMain([]string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	prog.Must(err)
	server := &http.Server{Handler: mux()}
	go server.Serve(l)
	exercise(&http.Client{}, "http://"+l.Addr().String())
	fmt.Println("shutdown", server.Shutdown(context.Background()))
}

// certificate is a new self-signed one for 127.0.0.1, and a pool that trusts it.
func certificate() (tls.Certificate, *x509.CertPool, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	prog.Must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "guest"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	prog.Must(err)
	cert, err := x509.ParseCertificate(der)
	prog.Must(err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool, text
}

func httpsMain([]string) {
	cert, pool, _ := certificate()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	prog.Must(err)
	quiet := &http.Server{Handler: mux(), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	go quiet.ServeTLS(l, "", "")
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	r, err := client.Get("https://" + l.Addr().String() + "/hello")
	prog.Must(err)
	fmt.Println(r.Proto, r.TLS.Version == tls.VersionTLS13)
	r.Body.Close()
	exercise(client, "https://"+l.Addr().String())
}

// serve runs a server until SIGINT or SIGTERM, then shuts it down gracefully.
func serve(listen string, run func(s *http.Server, l net.Listener) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", listen)
	prog.Must(err)
	server := &http.Server{Handler: mux()}
	result := make(chan error)
	go func() { result <- run(server, l) }()
	fmt.Println("listening")
	<-ctx.Done()
	fmt.Println("shutting down")
	err = server.Shutdown(context.Background())
	fmt.Println("shutdown", err, <-result)
}

func serveMain(args []string) {
	serve(args[0], func(s *http.Server, l net.Listener) error { return s.Serve(l) })
}

// serveTLSMain prints its certificate first, for the client to trust.
func serveTLSMain(args []string) {
	cert, _, text := certificate()
	fmt.Fprintf(os.Stderr, "%s", text)
	serve(args[0], func(s *http.Server, l net.Listener) error {
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
		// A client dials more connections than it needs when the first are slow, and drops some
		// before their handshake: what the server says of them depends on speed alone.
		s.ErrorLog = log.New(io.Discard, "", 0)
		return s.ServeTLS(l, "", "")
	})
}

// getMain is a client of the server whose base URL it is given.
func getMain(args []string) {
	exercise(&http.Client{}, args[0])
}
