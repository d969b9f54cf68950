// Clock ticks once a second, five times or as often as its argument says.
//
//	gosolo run ./examples/clock 10
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	count := 5
	if len(os.Args) > 1 {
		n, err := strconv.Atoi(os.Args[1])
		if err != nil || n < 0 {
			fmt.Fprintln(os.Stderr, "usage: clock [ticks]")
			os.Exit(2)
		}
		count = n
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for i := 1; i <= count; i++ {
		now := <-ticker.C
		fmt.Println("tick", i, now.Format("2006-01-02 15:04:05 MST"))
	}
}
