package main

// Start: what a program finds when it begins, and what its runtime asks first.
var startChecks = []check{}
