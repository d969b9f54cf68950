#!/bin/bash
# quick.sh [--write]: the bars of `make bench-quick`, each beside the same Go binary as /init of
# Debian's cloud kernel on the same kind of machine. --write also puts the result, with the machine
# and the versions it was taken on, into docs/bench.md. RUNS is the number of boots per wall time.
set -euo pipefail
cd "$(dirname "$0")/.."
go_folder=$(tools/check-go.sh)
PATH=$go_folder:$PATH
OUT=${OUT:-build}
case $OUT in /*) ;; *) OUT=$PWD/$OUT ;; esac
GOSOLO=${GOSOLO:-$OUT/gosolo}
export OUT PATH GOSOLO
dir=$OUT/bench

bench/build.sh "$dir"
code=0
"$dir/measure" -dir "$dir" -gosolo "$GOSOLO" -kernel "$OUT/kernel/kernel.elf" \
	-n "${RUNS:-7}" | tee "$dir/quick.txt" || code=$?

if [ "${1-}" = --write ]; then
	{
		echo "# Measured"
		echo
		echo "By \`bench/quick.sh --write\`; see \`bench/measure/main.go\` for how."
		echo
		sed -n 's/^model name[^:]*: /- CPU: /p' /proc/cpuinfo | head -n 1
		echo "- load when it ended: $(cut -d' ' -f1-3 /proc/loadavg)"
		echo "- $(qemu-system-x86_64 --version | head -n 1), TCG"
		echo "- $(go version)"
		echo "- Linux: $(strings -n 20 "$dir/vmlinux" | grep -m 1 '^Linux version')"
		echo "- $(date -u +%Y-%m-%d), commit $(git rev-parse --short HEAD)"
		echo
		sed 's/^/    /' "$dir/quick.txt"
	} >docs/bench.md
fi
exit "$code"
