package main

// Directories: reading them, and names that move.
var directoryChecks = []check{}
