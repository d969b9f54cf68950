#!/bin/sh
# std.sh [flags] [PACKAGE...] - the test binaries of Go's own packages, on Linux and in the machine.
#
# Without packages: those that make up the quick run; -full: all that have tests (`make std`). What is
# done is kept in $OUT/std, so that an interrupted run goes on where it stopped; -again begins anew, -older
# leaves out only what this very build has done. -once lets no test pass at the second attempt (make test).
# -table prints the results as a table (docs/std.md), -suggest lines for test/std/expected. OUT is the
# folder of the build (default build); the other parameters are explained in test/std/main.go.
set -u
cd "$(dirname "$0")/std" || exit 1
go_folder=$(../../tools/check-go.sh) || exit 1
PATH=$go_folder:$PATH
OUT=${OUT:-build}
case $OUT in /*) ;; *) OUT=$(cd ../.. && pwd)/$OUT ;; esac
export OUT PATH
mkdir -p "$OUT/std" &&
	GOWORK=off GOTOOLCHAIN=local GOFLAGS=-buildvcs=false go vet . &&
	GOWORK=off GOTOOLCHAIN=local GOFLAGS=-buildvcs=false go test . >"$OUT/std/harness" ||
	{ cat "$OUT/std/harness"; exit 1; }
GOWORK=off GOTOOLCHAIN=local GOFLAGS=-buildvcs=false go build -o "$OUT/std/std" . || exit 1
exec "$OUT/std/std" "$@"
