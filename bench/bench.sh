#!/bin/bash
# bench.sh [--write]: everything that is measured: quick.sh, then what CPUs, threads and calls cost,
# with each number of CPUs that CPUS says (default "1 2"). --write also puts both results into
# docs/bench.md. PARALLEL_RUNS is the number of runs of which the best counts.
set -euo pipefail
cd "$(dirname "$0")/.."
code=0
bench/quick.sh "$@" || code=$?
OUT=${OUT:-build}
case $OUT in /*) ;; *) OUT=$PWD/$OUT ;; esac
dir=$OUT/bench
"$dir/measure" -dir "$dir" -gosolo "${GOSOLO:-$OUT/gosolo}" -n "${PARALLEL_RUNS:-3}" \
	-cpus "${CPUS:-1 2}" | tee "$dir/parallel.txt" || code=$?
if [ "${1-}" = --write ]; then
	{
		echo
		echo "## CPUs, threads and calls"
		echo
		echo "By \`bench/bench.sh --write\`; see \`bench/measure/parallel.go\` for how. $(nproc) CPUs on the host;"
		echo "load when it ended: $(cut -d' ' -f1-3 /proc/loadavg)."
		echo
		sed 's/^/    /' "$dir/parallel.txt"
	} >>docs/bench.md
fi
exit "$code"
