#!/bin/bash
# fetch-source.sh: one pinned Debian source package, verified and unpacked into a cache.
#
#   tools/fetch-source.sh NAME CACHE      NAME is a line of tools/pins.txt
#
# Prints the path of the unpacked tree (Debian's patches applied) and returns 0.
#
# What holds:
# (1) Nothing unverified is ever unpacked. apt checks the archive's signature and the hashes from
#     there down to the .dsc; the pin in pins.txt is compared with the .dsc, and the .dsc's
#     SHA-256 list with every file. So a wrong or hostile mirror can only make this fail.
# (2) The machine's apt state is only read: own lists, own configuration, no root. The mirror is
#     the one that apt is configured to use; no host is named here.
# (3) A tree appears by rename, complete or not at all, and one lock per cache admits one writer:
#     any number of builds may share a cache. A finished tree is reused without the network.
# (4) Failures leave no half-made tree, and say what was wanted and what the mirror has.
#
# Exit codes: 2 bad arguments, 3 a tool is missing, 4 apt has no Debian source to derive from,
# 5 the version can't be had, 6 a hash differs, 7 it could not be unpacked.
set -u
umask 022
export LC_ALL=C

say() { printf 'fetch-source: %s\n' "$*" >&2; }
die() { say "${@:2}"; exit "$1"; }

[ $# -eq 2 ] || die 2 "usage: fetch-source.sh NAME CACHE"
name=$1
pins=$(dirname "$0")/pins.txt
read -r version pin < <(awk -v n="$name" '$1 == n { print $2, $4 }' "$pins") ||
	die 2 "$name has no line in $pins"
[[ $pin =~ ^[0-9a-f]{64}$ ]] || die 2 "$pins: $name has no SHA-256"

mkdir -p "$2" && cache=$(cd "$2" && pwd -P) || die 2 "cannot make the cache folder $2"
file_version=${version#*:} # an epoch is not part of file names
tree=$cache/${name}_$file_version
dsc=${name}_$file_version.dsc
stamp="$name $version $pin"

is_done() { [ -f "$tree/.pin" ] && [ "$(cat "$tree/.pin")" = "$stamp" ]; }
is_done && { printf '%s\n' "$tree"; exit 0; }

for tool in apt-get dpkg-source sha256sum flock xz; do
	command -v "$tool" >/dev/null || die 3 "$tool is missing; run: make deps"
done

exec 9>"$cache/.lock" || exit 1
flock 9 || exit 1
is_done && { printf '%s\n' "$tree"; exit 0; } # another build was faster

downloads=$cache/.download/${name}_$file_version # kept: unpacking again needs no network
apt=$cache/.apt
unpack=$cache/.unpack.$$
trap 'rm -rf "$unpack"' EXIT
mkdir -p "$downloads" "$apt/lists/partial" "$apt/cache/archives/partial" || exit 1

# The .dsc is the pinned one and every file it lists is there with the hash it gives: (1).
verify() { (
	cd "$downloads" && [ -f "$dsc" ] || exit 1
	got=$(sha256sum <"$dsc" | cut -c1-64)
	[ "$got" = "$pin" ] || { say "$dsc has SHA-256 $got, pinned is $pin"; exit 1; }
	awk '/^Checksums-Sha256:/ { on = 1; next }
	     on && /^ / { if (NF != 3 || length($1) != 64 || $3 ~ /\//) exit 1
	                  print $1 "  " $3; n++; next }
	     { on = 0 }
	     END { if (!n) exit 1 }' "$dsc" >.sha256 || { say "$dsc lists no files"; exit 1; }
	sha256sum --check --strict --quiet .sha256 >&2
); }

# deb-src lines for the Debian suites in this machine's apt configuration. --print-uris reads the
# configuration alone, so this works before the first "apt-get update" of a fresh container.
write_origins() {
	local codename key option=
	codename=$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -f "$key" ] && option="[signed-by=$key] "
	apt-get -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" --print-uris update |
		sed -n "s|^'\(.*\)/dists/\([^/]*\)/InRelease'.*|\1 \2|p" |
		awk -v c="$codename" -v o="$option" \
			'($2 == c || $2 == c "-updates" || $2 == c "-security") && !seen[$0]++ {
				print "deb-src " o $0 " main" }' >"$apt/sources.list"
	[ -s "$apt/sources.list" ] ||
		die 4 "apt is not configured for a Debian release here (looked for '$codename')"
}

own_apt() {
	apt-get -q -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$apt/lists" -o Dir::State::status=/dev/null \
		-o Dir::Cache="$apt/cache" -o APT::Sandbox::User="$(id -un)" \
		-o Acquire::Retries=3 -o Acquire::AllowInsecureRepositories=false "$@"
}

download() {
	find "$downloads" -mindepth 1 -delete
	(cd "$downloads" && own_apt source --download-only --only-source "$name=$version") \
		>"$apt/log" 2>&1
}

explain_and_die() {
	local offer
	sed 's/^/  apt: /' "$apt/log" "$apt/log.update" 2>/dev/null | grep -E ': (E|W|Err)' >&2
	offer=$(own_apt --only-source --print-uris source "$name" 2>/dev/null |
		sed -n "s/.* ${name}_\([^ ]*\)\.dsc .*/\1/p" | head -n 1)
	say "cannot get the source of $name $version"
	if [ -z "$offer" ]; then
		die 5 "the mirror knows no such source package; is it reachable?"
	elif [ "$offer" = "$file_version" ]; then
		die 5 "the mirror lists this version but does not serve its files"
	fi
	die 5 "the mirror has $offer: an update replaced the pinned version; move the pin in $pins"
}

if ! verify 2>/dev/null; then
	say "fetching the source of $name $version"
	write_origins
	# The lists are refreshed only when those at hand do not know the version.
	download || { own_apt update >"$apt/log.update" 2>&1; download; } || explain_and_die
	verify || { find "$downloads" -mindepth 1 -delete; die 6 "$name $version is not what was pinned"; }
fi

# --no-check skips the uploader's signature only (it would need the keys of all Debian
# developers): verify() has just compared every file with the pin.
rm -rf "$unpack" && mkdir "$unpack" || exit 1
dpkg-source --no-check --no-copy --require-strong-checksums -x "$downloads/$dsc" "$unpack/tree" \
	>"$unpack/log" 2>&1 || { cat "$unpack/log" >&2; die 7 "$dsc could not be unpacked"; }
printf '%s\n' "$stamp" >"$unpack/tree/.pin"
rm -rf "$tree" && mv "$unpack/tree" "$tree" || exit 1
printf '%s\n' "$tree"
