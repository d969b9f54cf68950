package main

// Faults: what a bad access, a bad instruction and a bad pointer in a call become.
var faultChecks = []check{}
