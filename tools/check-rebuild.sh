#!/bin/bash
# check-rebuild.sh COMMAND: does a copy of this tree in another folder build the same bytes?
#
# COMMAND is the built gosolo of this tree; it contains the kernel. Time, folder and user must not
# leave a trace in it: then everybody can verify a binary against its source.
set -u
built=$(realpath "$1") || exit 1
copy=$(mktemp -d) || exit 1
trap 'rm -rf "$copy"' EXIT
rooms=$(awk '!/^[#<]/ { print $1 }' tools/layers.txt)
for item in Makefile tools $rooms; do
	[ ! -e "$item" ] || cp -r "$item" "$copy/"
done
make -C "$copy" --no-print-directory OUT=out all >"$copy/log" 2>&1 || { tail "$copy/log" >&2; exit 1; }
cmp "$built" "$copy/out/gosolo" || { echo "rebuild: not bit-identical" >&2; exit 1; }
echo "rebuild: bit-identical in another folder"
