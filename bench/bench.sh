#!/bin/bash
# bench.sh: everything that is measured. So far that is quick.sh, and the micro program in our
# machine beside Linux's, with each number of CPUs that CPUS says (default "1 2").
set -euo pipefail
cd "$(dirname "$0")/.."
code=0
bench/quick.sh "$@" || code=$?
OUT=${OUT:-build}
case $OUT in /*) ;; *) OUT=$PWD/$OUT ;; esac
for cpus in ${CPUS:-1 2}; do
	"$OUT/bench/measure" -dir "$OUT/bench" -gosolo "${GOSOLO:-$OUT/gosolo}" -micro "$cpus"
done
exit "$code"
