// Metrics counts its requests, and shows that and what it is made of to Prometheus.
//
//	gosolo run -p 8080:8080 ./metrics
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var (
	requests = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "example_requests_total", Help: "Requests, by path."}, []string{"path"})
	seconds = promauto.NewHistogram(prometheus.HistogramOpts{
		Name: "example_request_seconds", Help: "How long requests took."})
)

func main() {
	listen := ":8080"
	if len(os.Args) > 1 {
		listen = os.Args[1]
	}
	http.Handle("/metrics", promhttp.Handler())
	http.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		requests.WithLabelValues(r.URL.Path).Inc()
		fmt.Fprintln(w, "hello")
		seconds.Observe(time.Since(start).Seconds())
	})
	log.Fatal(http.ListenAndServe(listen, nil))
}
