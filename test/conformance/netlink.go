package main

// Netlink and the list of interfaces.
var netlinkChecks = []check{}
