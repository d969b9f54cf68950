package main

// IPv6 and sockets for both families.
var ipv6Checks = []check{}
