package main

// Clocks: what time it is.
var clockChecks = []check{}
