#!/bin/sh
# nightly.sh - the long tests: every program with every Go, what others wrote, then the tests of Go's own
# packages with the newest and the oldest Go; see run.sh, real.sh and std.sh. The last goes on where it was
# interrupted, as long as the kernel is the same.
here=$(dirname "$0")
"$here/run.sh" nightly
failed=$?
"$here/real.sh" || failed=1
"$here/std.sh" -full -older || failed=1
GOSOLO_GO=go1.22.0 "$here/std.sh" -full -older || failed=1
exit $failed
