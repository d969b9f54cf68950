package main

// Futexes: waiting on a word of memory.
var futexChecks = []check{}
