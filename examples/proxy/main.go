// Proxy hands requests on to another server, and says so in a header.
//
//	gosolo run -p 8080:8080 ./proxy -to http://10.0.2.2:9000
package main

import (
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
)

func main() {
	listen := flag.String("listen", ":8080", "where to listen")
	to := flag.String("to", "", "the server behind: http://HOST:PORT")
	flag.Parse()
	target, err := url.Parse(*to)
	if err != nil || target.Host == "" {
		log.Fatalf("-to %q: not a URL with a host", *to)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Add("Via", "1.1 gosolo")
			return nil
		},
	}
	log.Fatal(http.ListenAndServe(*listen, proxy))
}
