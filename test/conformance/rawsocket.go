package main

// Raw and packet sockets.
var rawsocketChecks = []check{}
