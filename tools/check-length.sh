#!/bin/bash
# check-length.sh: no source of any language is longer than 500 lines.
set -u
sources() {
	find . \( -path ./build -o -path ./.git -o -path ./.cache \) -prune -o -type f \( -name '*.[chsS]' -o \
		-name '*.go' -o -name '*.sh' -o -name '*.awk' -o -name '*.py' -o -name '*.pml' -o -name '*.ld' -o \
		-name Makefile \) -print
}
sources | xargs wc -l | awk '$2 == "total" { next }
	{ files++ }
	$1 > 500 { print substr($2, 3) ": " $1 " lines, of 500 that a file may have"; bad = 1 }
	END { if (!bad) print "length: " files " files have 500 lines at most"; exit bad }'
