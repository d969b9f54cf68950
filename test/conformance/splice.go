package main

var spliceChecks = []check{}
