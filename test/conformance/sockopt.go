package main

// Socket options: what is set is what is told.
var sockoptChecks = []check{}
