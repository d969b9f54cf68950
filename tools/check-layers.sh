#!/bin/sh
# check-layers.sh: runs check-layers.awk over every source of the rooms, below the current folder.
here=$(dirname "$0")
rooms=$(awk '!/^#/ && $1 != "<system>" { print $1 }' "$here/layers.txt")
files=
for room in $rooms; do
	[ -d "$room" ] && files="$files $(find "$room" -name '*.[chS]' | sort)"
done
# shellcheck disable=SC2086 # a list of file names without blanks
awk -f "$here/check-layers.awk" "$here/layers.txt" $files </dev/null &&
	echo "layers: $(echo "$files" | wc -w) files keep to tools/layers.txt"
