#!/bin/bash
# gdb.sh PACKAGE|BINARY|IMAGE [ARGS...]: boots it stopped at its first instruction, gdb attached.
#
# The image is one file with the symbols of both: breakpoints in the kernel (`break boot_main`)
# and in Go (`break main.main`) are set the same way. Go's own code is at its linked address.
set -u
out=${OUT:-build}
port=${GDB_PORT:-1234}
scratch=$(mktemp -d) || exit 1
machine=
trap '[ -z "$machine" ] || kill "$machine" 2>/dev/null; rm -rf "$scratch"' EXIT

"$out/gosolo" build -o "$scratch/image" "$1" || exit
shift
"$out/gosolo" run --gdb="$port" "$scratch/image" "$@" </dev/null &
machine=$!
for _ in $(seq 100); do # until QEMU listens
	(: </dev/tcp/127.0.0.1/"$port") 2>/dev/null && break
	kill -0 "$machine" 2>/dev/null || exit 1
	sleep 0.1
done
gdb -q -x "$(dirname "$0")/gdb/gosolo.py" "$scratch/image" \
	-ex "gosolo-attach :$port $out/kernel/kernel.elf" -ex "hbreak boot_main"
