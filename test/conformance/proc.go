package main

// What /proc and /sys say.
var procChecks = []check{}
