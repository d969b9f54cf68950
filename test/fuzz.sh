#!/bin/bash
# fuzz.sh [TARGET...]: the targets of test/fuzz under libFuzzer: the project's own sources on the
# host, with ASan and UBSan. A target names its sources in a comment, as unit tests do; build:NAME is
# a file of $OUT. What came out is a table in docs/fuzzing.md (fuzz.sh --table writes only that).
#
# FUZZ_SECONDS (default 1200) of processor time for each target in all, so that a busy host gives no
# less. They are counted in $OUT/fuzz/TARGET: a run that was interrupted goes on, in turns of FUZZ_TURN
# (default 120) seconds. What is learnt is kept there,
# too, and an input that fails, as crash-*. Seeds lie in test/fuzz/seeds, inputs that once failed in
# test/fuzz/crashers; make unit runs both, without libFuzzer.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${OUT-build}
out=$build/fuzz
goal=${FUZZ_SECONDS-1200}
turn=${FUZZ_TURN-120}
page=docs/fuzzing.md
flags=(-std=c11 -g -O1 -Itest/unit/shim -I. -Iinclude -D_GNU_SOURCE= -DGOSOLO_DEBUG
	-DGOSOLO_UNIT_TEST -DGOSOLO_VERSION='"fuzz"' -fno-omit-frame-pointer
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -fno-sanitize=alignment)

names() { local f; for f in test/fuzz/*_fuzz.c; do basename "$f" .c; done; }
sources() {
	awk '/sources:/ { on = 1; sub(/.*sources:/, "") }
		on { end = sub(/\*\/.*/, ""); gsub(/\*/, " "); printf "%s ", $0; if (end) exit }' \
		"test/fuzz/$1.c" | sed "s|build:|$build/|g"
}
value() { cat "$out/$1/$2" 2>/dev/null || echo 0; } # of target $1: seconds, runs, cov
seconds() { printf '%.0f' "$(value "$1" seconds)"; }

# The kernel is compiled with -fwrapv. What lwIP reads it reads where it lies.
compile() {
	local name=$1 list more=()
	read -ra list <<<"$(sources "$name")"
	[[ ${list[0]} == cli/* ]] || more+=(-fwrapv)
	[[ ${list[0]} == net/* ]] &&
		more+=(-Inet/lwip_port -isystem "$build/kernel/lwip/src/include" -isystem "$bearssl/inc")
	clang "${flags[@]}" "${more[@]}" "test/fuzz/$name.c" "${list[@]}" -o "$out/$name/$name" &&
		git rev-parse --short HEAD >"$out/$name/built"
}

# $2 seconds of target $1.
fuzz() {
	local name=$1 seconds=$2 dir=$out/$1 more=(-max_len=4096) inputs=() folder used code TIMEFORMAT='%U %S'
	case $name in elf_fuzz) more=(-max_len=32768) ;; boot_fuzz) more=(-max_len=8192) ;; esac
	for folder in test/fuzz/seeds/"$name" test/fuzz/crashers/"$name"; do
		[ -d "$folder" ] && inputs+=("$folder")
	done
	export ASAN_OPTIONS=
	# The command frees little: it is short-lived.
	[ "$name" != elf_fuzz ] || { more+=(-rss_limit_mb=8192) && export ASAN_OPTIONS=detect_leaks=0; }
	used=$({ time "$dir/$name" -max_total_time="$seconds" "${more[@]}" -print_final_stats=1 \
		-artifact_prefix="$dir/" "$dir/corpus" "${inputs[@]}" >"$dir/log" 2>&1; } 2>&1)
	code=$?
	[ $code = 0 ] || return 1
	awk -v before="$(value "$name" seconds)" '{ printf "%.1f\n", before + $1 + $2 }' <<<"$used" >"$dir/seconds.new" &&
		mv "$dir/seconds.new" "$dir/seconds"
	echo $(($(value "$name" runs) + $(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$dir/log"))) >"$dir/runs"
	sed -n 's/^#.*DONE *cov: \([0-9]*\).*/\1/p' "$dir/log" >"$dir/cov"
	echo "$(date -u +%Y-%m-%d) $(value "$name" built)" >"$dir/when"
}

count_files() { find "$1" -type f 2>/dev/null | wc -l; }
table() {
	local name
	[ -d "$out" ] || { echo "fuzz: nothing has run yet" >&2; return 1; }
	sed '/^<!-- table -->/,$d' "$page" >"$out/page"
	{
		echo "<!-- table -->"
		echo "| target | CPU seconds | executions | edges | kept finds | last run |"
		echo "|---|---|---|---|---|---|"
		for name in $(names); do
			if [ "$(seconds "$name")" = 0 ]; then # it ran in another $OUT, or never
				grep "^| $name |" "$page"
				continue
			fi
			echo "| $name | $(seconds "$name") | $(value "$name" runs) | $(value "$name" cov) |" \
				"$(count_files "test/fuzz/crashers/$name") | $(value "$name" when) |"
		done
	} >>"$out/page" && mv "$out/page" "$page"
}

[ "${1-}" != --table ] || { table; exit; }
command -v clang >/dev/null ||
	{ echo "fuzz: clang is missing: tools/install-deps.sh fuzz" >&2; exit 1; }
bearssl=$(tools/fetch-source.sh bearssl "${CACHE-${XDG_CACHE_HOME-$HOME/.cache}/gosolo}") || exit 1
[ $# -gt 0 ] || mapfile -t targets < <(names)
[ $# = 0 ] || targets=("$@")
for name in "${targets[@]}"; do
	mkdir -p "$out/$name/corpus" && compile "$name" || exit 1
done
failed=0
while [ ${#targets[@]} -gt 0 ]; do
	rest=()
	for name in "${targets[@]}"; do
		left=$((goal - $(seconds "$name")))
		[ $left -gt 0 ] || continue
		if fuzz "$name" $((left < turn ? left : turn)); then
			echo "fuzz: $name: $(seconds "$name") of $goal s, $(value "$name" runs) executions"
			rest+=("$name")
		else
			echo "fuzz: $name failed: $out/$name/log" >&2
			failed=1
		fi
	done
	targets=("${rest[@]+"${rest[@]}"}")
done
table
exit $failed
