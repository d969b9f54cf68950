#!/bin/sh
# check-symbols.sh ROOM.o...: does every symbol that crosses rooms keep to tools/layers.txt?
#
# Each argument is a whole room linked with `ld -r`. A symbol used in one room and defined in
# another needs that edge in layers.txt (a header entry counts as its room), or a line in
# tools/upcalls.txt. So an `extern` written by hand, which no include check can see, is found
# here. Symbols that no room defines come from the linker script; the final link checks those.
here=$(dirname "$0")
[ $# -gt 0 ] || { echo "usage: check-symbols.sh ROOM.o..." >&2; exit 2; }

for object; do
	nm -g "$object" | awk -v room="$(basename "$object" .o)" '{ print room, $(NF - 1), $NF }'
done | awk -v layers="$here/layers.txt" -v upcalls="$here/upcalls.txt" '
BEGIN {
	while ((getline line < layers) > 0) {
		n = split(line, word, " ")
		for (i = 2; i <= n && line !~ /^[#<]/; i++) {
			sub("/.*", "", word[i])
			ok[word[1], word[i]]
		}
	}
	while ((getline line < upcalls) > 0)
		if (line !~ /^#/ && split(line, word, " ")) {
			upcall[word[1]] = word[2]
			if (sub(/\*$/, "", word[1])) # a family: net_lwip_*
				family[word[1]] = word[2]
		}
}
function is_upcall(symbol, to,    prefix) {
	for (prefix in family)
		if (index(symbol, prefix) == 1 && family[prefix] == to)
			return 1
	return symbol in upcall && upcall[symbol] == to
}
$2 == "U" || $2 == "w" { used[++uses] = $1 " " $3; next }
{ owner[$3] = $1 }
END {
	for (i = 1; i <= uses; i++) {
		split(used[i], u, " ")
		to = owner[u[2]]
		if (to == "" || to == u[1] || (u[1], to) in ok || (u[1], "*") in ok)
			continue
		if (is_upcall(u[2], to))
			continue
		print u[1] " uses " u[2] " of " to ": neither in layers.txt nor in upcalls.txt"
		bad = 1
	}
	if (!bad)
		print "symbols: " uses " uses across objects keep to tools/layers.txt"
	exit bad
}'
