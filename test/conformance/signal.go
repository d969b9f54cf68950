package main

// Signals: who gets them, when, and what a handler sees.
var signalChecks = []check{}
