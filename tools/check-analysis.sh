#!/bin/bash
# check-analysis.sh KERNEL_FLAGS... -- CLI_FLAGS...: clang-tidy (.clang-tidy) and cppcheck over
# every source. Exits 1 if one of them has something to say that is an error.
set -u
kernel_flags=() failed=0
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	kernel_flags+=("$1")
	shift
done
shift
cli_flags=("$@")
rooms=(lib arch platform kernel drivers fs net abi boot)

sources() { find "$@" -name '*.c' 2>/dev/null | sort; }

# clang-tidy reads the flags of a file from a compilation database.
database() {
	local file flag arguments separator=
	echo "["
	for file in $(sources "${rooms[@]}" cli); do
		arguments='"clang"'
		case $file in cli/*) set -- "${cli_flags[@]}" ;; *) set -- "${kernel_flags[@]}" ;; esac
		for flag; do
			case $flag in -MMD | -MP) continue ;; esac # nothing is to be written
			arguments+=", \"${flag//\"/\\\"}\""
		done
		printf '%s{"directory": "%s", "file": "%s", "arguments": [%s, "-c", "%s"]}\n' \
			"$separator" "$PWD" "$file" "$arguments" "$file"
		separator=,
	done
	echo "]"
}

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
database >"$scratch/compile_commands.json"

# What it found is on standard output, the analyzer's whole path to it too: shown with V=1.
# Standard error only counts what it suppressed.
sources "${rooms[@]}" cli |
	xargs -d '\n' -r -n 4 -P "$(nproc)" clang-tidy --quiet -p "$scratch" \
		>"$scratch/found" 2>"$scratch/log" || failed=1
if [ "${V-}" ]; then cat "$scratch/found"; else grep -E -A 2 '(warning|error): ' "$scratch/found"; fi
grep -E '^Error (while|reading)' "$scratch/log" >&2 # when it could not work at all

# cppcheck is given the few headers whose macros are control flow. It believes that libc's signals
# are macros everywhere, and takes symbols of the linker script for unrelated objects.
mkdir "$scratch/include" && ln -s /usr/include/bsd "$scratch/include/bsd" || exit 1
common=(--quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1
	--suppress=missingInclude --suppress=missingIncludeSystem --suppress=unknownMacro
	--suppress=comparePointers --suppress='*:*/bsd/sys/*'
	-USIGABRT -USIGFPE -USIGILL -USIGINT -USIGSEGV -USIGTERM
	"-D__containerof(pointer,type,member)=((type *)(pointer))"
	-j "$(nproc)" -I. -Iinclude -I"$scratch/include")
present() { local room; for room; do [ -n "$(sources "$room")" ] && echo "$room"; done; }
# shellcheck disable=SC2046 # names without blanks
{
	[ -z "$(present "${rooms[@]}")" ] || cppcheck "${common[@]}" --platform=unix64 \
		-D__x86_64__ $(present "${rooms[@]}") || failed=1
	[ -z "$(present cli)" ] || cppcheck "${common[@]}" cli || failed=1
}
[ $failed = 0 ] && echo "analysis: $(sources "${rooms[@]}" cli | wc -l) files pass clang-tidy and cppcheck"
exit $failed
