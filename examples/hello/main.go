// Hello prints one line: the smallest program there is.
//
//	gosolo run ./examples/hello
package main

import "fmt"

func main() {
	fmt.Println("hello, world")
}
