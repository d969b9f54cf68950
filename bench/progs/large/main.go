// Large is a program of more than 10 MB, to time the packing of.
package main

import (
	"fmt"
	"go/types"
	"net/http"
	_ "net/http/pprof"
)

func main() {
	config := types.Config{}
	_, checked := config.Check("x", nil, nil, nil)
	fmt.Println(checked, http.ListenAndServe("", nil))
}
