package main

// Timers and sleeps: when something happens.
var timerChecks = []check{}
