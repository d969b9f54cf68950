// Files serves a folder by HTTP: GET reads files and lists folders, PUT writes, DELETE removes.
// The machine's files are in memory: what is written lives as long as it does.
//
//	gosolo run -p 8080:8080 --add ./site:/srv ./files
package main

import (
	"flag"
	"io"
	"log"
	"net/http"
	"os"
	"path"
	"path/filepath"
)

// put writes a file under another name first: readers see the old one or the new one.
func put(name string, body io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".put")
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

func main() {
	listen := flag.String("listen", ":8080", "where to listen")
	root := flag.String("root", "/srv", "the folder that is served")
	flag.Parse()
	read := http.FileServer(http.Dir(*root))
	log.Fatal(http.ListenAndServe(*listen, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := filepath.Join(*root, filepath.FromSlash(path.Clean("/"+r.URL.Path)))
		var err error
		switch r.Method {
		case http.MethodPut:
			err = put(name, r.Body)
		case http.MethodDelete:
			err = os.Remove(name)
		default:
			read.ServeHTTP(w, r)
			return
		}
		switch {
		case err == nil:
			w.WriteHeader(http.StatusNoContent)
		case os.IsNotExist(err):
			http.Error(w, err.Error(), http.StatusNotFound)
		default:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})))
}
