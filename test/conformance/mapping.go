package main

// Mappings of files: shared with read and write, private, and past the end.
var mappingChecks = []check{}
