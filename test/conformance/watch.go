package main

// Descriptors that watch: inotify, timerfd, signalfd, eventfd, memfd, pipes and splice.
var watchChecks = []check{}
