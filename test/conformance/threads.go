package main

// Threads: how they are made and end, where they run, what they share.
var threadChecks = []check{}
