package main

// TCP: connections, their ends and their errors.
var tcpChecks = []check{}
