package main

// Devices and terminals.
var deviceChecks = []check{}
