#!/bin/sh
# patch-source.sh SOURCE PATCHES DEST: a copy of SOURCE/src, with Unix line ends and our patches.
#
# Patches are applied in the order of their names, without fuzz: one that does not fit exactly stops
# the build. DEST appears complete or not at all.
source=$1 patches=$2 dest=$3 new=$3.new.$$
trap 'rm -rf "$new"' EXIT
rm -rf "$new" && mkdir -p "$new" && cp -r "$source/src" "$new/" || exit 1
find "$new" -type f -exec sed -i 's/\r$//' {} +
for patch in "$patches"/*.patch; do
	patch --quiet --fuzz=0 -p1 -d "$new" <"$patch" >&2 || {
		echo "patch-source: $patch does not fit $source" >&2
		exit 1
	}
done
rm -rf "$dest" && mv "$new" "$dest"
