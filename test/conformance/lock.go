package main

// Locks on files: flock, fcntl and those of open files.
var lockChecks = []check{}
