package main

// AF_UNIX sockets.
var unixChecks = []check{}
