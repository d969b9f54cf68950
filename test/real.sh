#!/bin/sh
# real.sh [go test flags] - runs programs that others wrote, on Linux and in the machine.
#
# The programs are built from their modules at pinned versions (test/real/setup_test.go) into
# $OUT/real, which takes minutes and the network the first time. OUT is the folder of the build
# (default build); the other parameters are explained in that file. `test/real.sh -run NATS` runs one.
set -u
"$(dirname "$0")/../tools/install-deps.sh" run real || exit 1
cd "$(dirname "$0")/real" || exit 1
go_folder=$(../../tools/check-go.sh) || exit 1
PATH=$go_folder:$PATH
OUT=${OUT:-build}
case $OUT in /*) ;; *) OUT=$(cd ../.. && pwd)/$OUT ;; esac
export OUT PATH
GOWORK=off GOTOOLCHAIN=local GOFLAGS=-buildvcs=false exec go test -v -count=1 -timeout 2h "$@" .
