#!/bin/sh
# nightly.sh - the long tests: every program with every Go, then the tests of Go's own packages with the
# newest and the oldest; see run.sh and std.sh.
here=$(dirname "$0")
"$here/run.sh" nightly
failed=$?
"$here/std.sh" -full -again || failed=1
GOSOLO_GO=go1.22.0 "$here/std.sh" -full -again || failed=1
exit $failed
