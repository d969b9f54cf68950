#!/bin/sh
# nightly.sh - the long tests; see run.sh.
exec "$(dirname "$0")/run.sh" nightly
