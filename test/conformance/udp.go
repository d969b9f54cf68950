package main

// UDP: datagrams and the errors that come back.
var udpChecks = []check{}
