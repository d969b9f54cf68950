#!/bin/bash
# fuzz.sh: every target of test/fuzz under libFuzzer: the kernel's own sources on the host, with
# ASan and UBSan. A target names its sources in a comment, as unit tests do (see the Makefile).
#
# FUZZ_SECONDS (default 1200) for each. What is learnt is kept in $OUT/fuzz/NAME and used the next
# time; an input that fails is left there as crash-*. Inputs that once failed lie in
# test/fuzz/crashers/NAME and are tried first.
set -u
out=${OUT-build}/fuzz
seconds=${FUZZ_SECONDS-1200}
flags=(-std=c11 -g -O1 -Itest/unit/shim -I. -Iinclude -D_GNU_SOURCE= -DGOSOLO_DEBUG
	-DGOSOLO_UNIT_TEST -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined
	-fno-sanitize-recover=all)
command -v clang >/dev/null ||
	{ echo "fuzz: clang is missing: tools/install-deps.sh check" >&2; exit 1; }
cd "$(dirname "$0")/.." || exit 1
# For targets with the network core; lwIP is the patched copy that `make` left. It reads headers
# where they lie, so alignment is not checked.
bearssl=$(tools/fetch-source.sh bearssl "${CACHE-${XDG_CACHE_HOME-$HOME/.cache}/gosolo}") || exit 1
flags+=(-Inet/lwip_port -isystem "${OUT-build}/kernel/lwip/src/include" -isystem "$bearssl/inc"
	-fno-sanitize=alignment)
failed=0
for target in test/fuzz/*_fuzz.c; do
	name=$(basename "$target" .c)
	read -ra sources < <(awk '/sources:/ { on = 1; sub(/.*sources:/, "") }
		on { end = sub(/\*\/.*/, ""); gsub(/\*/, " "); printf "%s ", $0; if (end) exit }' "$target")
	mkdir -p "$out/$name/corpus" || exit 1
	clang "${flags[@]}" "$target" "${sources[@]}" -o "$out/$name/$name" || exit 1
	echo "fuzz: $name, $seconds s"
	crashers=(test/fuzz/crashers/"$name"/*)
	if [ -e "${crashers[0]}" ]; then
		"$out/$name/$name" "${crashers[@]}" >"$out/$name/log" 2>&1 ||
			{ echo "fuzz: $name fails on an old crasher: $out/$name/log" >&2; failed=1; continue; }
	fi
	if "$out/$name/$name" -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 \
		-artifact_prefix="$out/$name/" "$out/$name/corpus" >"$out/$name/log" 2>&1; then
		grep -h '^Done ' "$out/$name/log"
	else
		echo "fuzz: $name failed: $out/$name/log" >&2
		failed=1
	fi
done
exit $failed
