#!/bin/sh
# check-format.sh: clang-format agrees with every C source and header. With -i it rewrites them instead.
export LC_ALL=C # awk counts bytes
failed=
files=$(find include lib arch platform kernel drivers fs net abi boot cli test \
	-name '*.[ch]' 2>/dev/null | sort)
[ -n "$files" ] || exit 0
if [ "$1" = -i ]; then
	# shellcheck disable=SC2086 # a list of file names without blanks
	exec clang-format -i $files
fi
# shellcheck disable=SC2086
awk '{ line = $0; columns = 0
       while ((t = index(line, "\t")) > 0) { columns = int((columns + t - 1) / 8 + 1) * 8; line = substr(line, t + 1) }
       # A continuation byte of UTF-8 takes no column.
       gsub(/[\200-\277]/, "", line)
       if (columns + length(line) > 100) { print FILENAME ":" FNR ": longer than 100 columns"; bad = 1 } }
     END { exit bad }' $files || failed=1
# shellcheck disable=SC2086
clang-format --dry-run $files 2>&1 | awk -F: -v verbose="$V" '
	/clang-format-violations/ { places[$1]++ }
	verbose { print }
	END {
		for (file in places) {
			print file ": differs in " places[file] " places (V=1 shows them)"
			bad = 1
		}
		exit bad
	}' || failed=1
[ "$failed" ] && exit 1
echo "format: $(echo "$files" | wc -l) files agree with .clang-format"
