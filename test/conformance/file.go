package main

// Files: open, read, write, names, attributes, permissions.
var fileChecks = []check{}
