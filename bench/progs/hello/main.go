// Hello prints one line. The marks are no-ops that the counting plugin knows (bench/plugin/insncount.c):
// one on entry to main, one right after the line was written.
package main

import "os"

func markMain()
func markLine()

func main() {
	markMain()
	os.Stdout.WriteString("hello, world\n")
	markLine()
}
