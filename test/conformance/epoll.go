package main

// Epoll, poll and select.
var epollChecks = []check{}
