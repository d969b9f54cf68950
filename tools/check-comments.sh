#!/bin/bash
# check-comments.sh: what HACKING.md section 5 says of comments, as far as a machine can tell.
#
# Each .c opens with its module comment and all of its five lines; there is no TODO or FIXME; a file
# with a `CAVEAT:` is named in CAVEATS.md.
set -u
failed=0
complain() { echo "$1"; failed=1; }

for file in $(find lib arch platform kernel drivers fs net abi boot cli -name '*.c' 2>/dev/null | sort); do
	comment=$(sed '/\*\//q' "$file")
	[[ $comment == "/*"*"$(basename "$file"): "* ]] ||
		complain "$file:1: does not open with a comment \"$(basename "$file"): ...\""
	for line in What Invariants Locking Failure Source; do
		grep -q "^ \* $line: " <<<"$comment" || complain "$file:1: module comment without \"$line:\""
	done
done

sources=$(find include lib arch platform kernel drivers fs net abi boot cli test tools \
	\( -name '*.[chS]' -o -name '*.go' \) 2>/dev/null | sort)
if [ -n "$sources" ]; then
	# shellcheck disable=SC2086 # a list of file names without blanks
	grep -nwE 'TODO|FIXME|XXX' $sources /dev/null && failed=1
	# shellcheck disable=SC2086
	for file in $(grep -l 'CAVEAT:' $sources); do
		grep -qF "$file" CAVEATS.md || complain "$file: has a CAVEAT that CAVEATS.md does not name"
	done
fi
[ $failed = 0 ] && echo "comments: $(wc -w <<<"$sources") files"
exit $failed
