#!/bin/bash
# soak.sh - the stress programs for an hour, with 1, 2 and 4 CPUs; `make soak`.
#
# A step is one program with one number of CPUs and one kernel: the release kernel at full size, or
# the debug kernel, which checks its locks, with a scheduler driven by the round's number as seed.
# Every round takes all steps; ten rounds are a million futex hand-offs and 100,000 threads for each
# number of CPUs. The soak ends after the last round, or when SOAK_SECONDS (default 3600) are used.
#
# Finished steps are kept in $OUT/soak/steps, so an interrupted soak goes on where it stopped; and one
# that is given SOAK_NOW seconds stops after these, to be gone on with by the next. When the soak is
# over the next one begins anew. Each program checks itself, and its output must be Linux's. The
# result is written to docs/soak.md. OUT is the folder of the build (default build).
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
OUT=${OUT:-build}
case $OUT in /*) ;; *) OUT=$root/$OUT ;; esac
work=$OUT/soak
steps=$work/steps
limit=${SOAK_SECONDS:-3600}
now=${SOAK_NOW:-$limit} # of them in this run
commit=$(git rev-parse --short HEAD)
rounds=10 # of the sizes below
sizes='futex:100000 memory:60 pages:60 threads:10000 channels:500 timers:60 sleepers:200
	pollers:200 affinity:200 signals:200 shares:200 storm:3000 http:3000'
sizes=${SOAK_SIZES:-$sizes} # such as http:20000: one program only

mkdir -p "$work" && touch "$steps" || exit 1
gosolo=$work/gosolo # a copy: a build meanwhile changes nothing
cp "$OUT/gosolo" "$gosolo" &&
	make --no-print-directory CONFIG=debug OUT="$OUT/debug" kernel &&
	cp "$OUT/debug/kernel/kernel.elf" "$work/debug.elf" &&
	(cd test/progs && CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -o "$work/stress" ./stress) || exit 1

seconds_used() { awk '{ n += $6 } END { print n + 0 }' "$steps"; }

# step ROUND CPUS KERNEL PROGRAM SIZE: runs it unless it is done; its line in $steps says how it went
step() {
	local key="$1 $2 $3 $4" flags=() result=ok size=$5 start=$SECONDS
	grep -q "^$key " "$steps" && return
	[ "$(seconds_used)" -lt "$limit" ] && [ $SECONDS -lt "$now" ] || return
	[ "$3 $4" != "debug shares" ] || return # torture is unfair
	if [ "$3" = debug ]; then
		flags=(--kernel "$work/debug.elf" --kernel-arg "torture=$1")
		size=$((size / 50 + 1))
	fi
	"$work/stress" "$4" "$size" >"$work/linux.out" 2>&1
	"$gosolo" run -m 256M -c "$2" --timeout 1200s --log "$work/log" "${flags[@]}" "$work/stress" "$4" "$size" \
		>"$work/out" 2>"$work/err" || result=failed
	cmp -s "$work/linux.out" "$work/out" || result=failed
	if [ $result != ok ]; then
		echo "FAILED: $key, size $size:" >&2
		tail -n 40 "$work/out" "$work/err" "$work/log" >&2
	fi
	echo "$key $size $((SECONDS - start)) $result $commit" >>"$steps"
}

report() {
	echo "# The last soak"
	echo
	echo "Written by \`make soak\`: $(date -u +%F), commit $(awk '!seen[$8]++ { printf "%s%s", n++ ? ", " : "", $8 }' "$steps")," \
		"$(nproc) host CPUs, $("$gosolo" version | head -n 1)."
	echo "$(wc -l <"$steps") runs, $(grep -c ' failed ' "$steps") failed, $(seconds_used) seconds (at most $limit)."
	echo
	echo "| program | CPUs | kernel | runs | loops | failed | seconds |"
	echo "|---|---|---|---|---|---|---|"
	awk '{ k = "| " $4 " | " $2 " | " $3 " |"; runs[k]++; loops[k] += $5; s[k] += $6; bad[k] += $7 != "ok" }
		END { for (k in runs) print k, runs[k], "|", loops[k], "|", bad[k], "|", s[k], "|" }' "$steps" | sort
}

for round in $(seq $rounds); do
	for size in $sizes; do
		for cpus in 1 2 4; do
			for kernel in release debug; do
				step "$round" "$cpus" "$kernel" "${size%:*}" "${size#*:}"
			done
		done
	done
	echo "soak: round $round of $rounds, $(seconds_used) of $limit seconds used"
	[ "$(seconds_used)" -lt "$limit" ] && [ $SECONDS -lt "$now" ] || break
done
report >docs/soak.md
cat docs/soak.md
failed=$(grep -c ' failed ' "$steps")
if [ "$(seconds_used)" -lt "$limit" ] && [ $SECONDS -ge "$now" ]; then
	echo "soak: to be gone on with; $OUT/soak/steps has what is done"
else
	mv "$steps" "$work/steps.last"
fi
[ "$failed" = 0 ]
