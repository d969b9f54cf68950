// Http3 is a client and a server of HTTP/3, quic-go's, for the tests of this folder.
//
//	http3 -url https://localhost:PORT/PATH -ca FILE [-send FILE]
//
// fetches a page, or sends it a file, and prints protocol, status, server and body. With -serve it first starts a server of its
// own, which answers with what it was sent and how many bytes that were, and asks that one instead.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// authority makes a certificate for this machine that is its own authority.
func authority() (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool, nil
}

// serve answers each request with the digest of what it was sent, and then that itself.
func serve(certificate tls.Certificate) (string, error) {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http3.Server{
		TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{certificate}}),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			fmt.Fprintf(w, "%s %x %d\n", r.Method, sha256.Sum256(body), len(body))
			w.Write(body)
		}),
	}
	go func() { log.Fatal(s.Serve(c)) }()
	return fmt.Sprintf("https://%s/", c.LocalAddr()), nil
}

// selfTest sends more than a datagram holds, both ways.
func selfTest() error {
	certificate, pool, err := authority()
	if err != nil {
		return err
	}
	url, err := serve(certificate)
	if err != nil {
		return err
	}
	client := client(pool)
	for _, size := range []int{0, 1, 1200, 100_000, 2_000_000} {
		body := bytes.Repeat([]byte("http3 "), size/6+1)[:size]
		answer, err := client.Post(url, "text/plain", bytes.NewReader(body))
		if err != nil {
			return err
		}
		got, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			return err
		}
		if want := fmt.Sprintf("POST %x %d\n%s", sha256.Sum256(body), size, body); string(got) != want {
			return fmt.Errorf("%d bytes sent: %d came back, %.80q", size, len(got), got)
		}
		fmt.Println(answer.Proto, answer.StatusCode, size)
	}
	return nil
}

func client(pool *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout:   2 * time.Minute,
		Transport: &http3.RoundTripper{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}},
	}
}

func fetch(url, ca, file string) error {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s has no certificate", ca)
	}
	request, err := http.NewRequest("GET", url, nil)
	if file != "" && err == nil {
		var data []byte
		if data, err = os.ReadFile(file); err != nil {
			return err
		}
		request, err = http.NewRequest("POST", url, bytes.NewReader(data))
	}
	if err != nil {
		return err
	}
	answer, err := client(pool).Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	fmt.Println(answer.Proto, answer.StatusCode, answer.Header.Get("Server"))
	fmt.Printf("%s", body)
	return nil
}

func main() {
	url := flag.String("url", "", "what to fetch")
	ca := flag.String("ca", "", "file with the certificate of the authority")
	file := flag.String("send", "", "what to send; nothing: only fetch")
	own := flag.Bool("serve", false, "talk to a server of its own")
	flag.Parse()
	run := func() error { return fetch(*url, *ca, *file) }
	if *own {
		run = selfTest
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
