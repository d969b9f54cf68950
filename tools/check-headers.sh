#!/bin/sh
# check-headers.sh CC FLAGS...: does each header compile alone, so that include order never matters?
cc=$1
shift
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failed=0 count=0
try() { # header, flags...
	header=$1
	shift
	count=$((count + 1))
	echo "#include \"$header\"" >"$scratch/alone.c"
	"$cc" "$@" -MF "$scratch/d" -fsyntax-only "$scratch/alone.c" || {
		echo "$header does not compile alone" >&2
		failed=1
	}
}
for header in $(find include lib arch platform kernel drivers fs net abi boot -name '*.h' \
	-not -path '*/vdso/*' 2>/dev/null | sort); do
	case $header in
	net/lwip_port/*) continue ;; # lwIP fixes the order of these: they are included by its own
	esac
	grep -q '^#pragma once' "$header" || { echo "$header: no #pragma once" >&2; failed=1; }
	try "${header#include/}" "$@"
done
# The command's headers are hosted code.
for header in $(find cli -name '*.h' 2>/dev/null | sort); do
	grep -q '^#pragma once' "$header" || { echo "$header: no #pragma once" >&2; failed=1; }
	try "$header" -std=c11 -Wall -Wextra -Werror -D_GNU_SOURCE= -I. -Iinclude -MMD
done
[ $failed = 0 ] && echo "headers: $count compile alone"
exit $failed
