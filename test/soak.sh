#!/bin/bash
# soak.sh - what only shows after an hour, in suites of an hour each; `make soak`.
#
#   stress  the programs that look for races, with 1, 2 and 4 CPUs: ten rounds are a million futex
#           hand-offs and 100,000 threads for each number of CPUs
#   churn   garbage, threads that begin and end, signals to threads and mappings, all at once
#   http    requests to a server, most of which end in the middle, in one way or another
# After churn and http there is no more of anything than before: descriptors, threads, mappings,
# objects and pages of the kernel.
#
# A step is one program with one number of CPUs and one kernel: the release kernel at full size, or
# the debug kernel, which checks its locks, with a scheduler driven by the round's number as seed.
# Every round takes all steps; a suite ends after its last round, or when SOAK_SECONDS (default 3600)
# are used. SOAK_SUITE names the suites to run, all three by default; SOAK_SIZES (such as http:20000)
# stands for their programs.
#
# Finished steps are kept in $OUT/soak/SUITE/steps, so an interrupted soak goes on where it stopped;
# and one that is given SOAK_NOW seconds for each suite stops after these, to be gone on with by the
# next. When a suite is over its next one begins anew. Each program checks itself, and its output must
# be Linux's. The result is written to docs/soak.md. OUT is the folder of the build (default build).
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
OUT=${OUT:-build}
case $OUT in /*) ;; *) OUT=$root/$OUT ;; esac
work=$OUT/soak
suites='stress churn http'
limit=${SOAK_SECONDS:-3600}
now=${SOAK_NOW:-$limit} # of them in this run
commit=$(git rev-parse --short HEAD)

# Of each suite: how many rounds, and the programs of a round with their sizes.
rounds_stress=10
sizes_stress='futex:100000 memory:60 pages:60 threads:10000 channels:500 timers:60 sleepers:200
	pollers:200 affinity:200 signals:200 shares:200 storm:3000'
rounds_churn=100 sizes_churn=churn:60
rounds_http=100 sizes_http=http:6000

mkdir -p "$work" || exit 1
gosolo=$work/gosolo # a copy: a build meanwhile changes nothing
cp "$OUT/gosolo" "$gosolo" &&
	make --no-print-directory CONFIG=debug OUT="$OUT/debug" kernel &&
	cp "$OUT/debug/kernel/kernel.elf" "$work/debug.elf" &&
	(cd test/progs && CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -o "$work/programs" ./stress) || exit 1

seconds_used() { awk '{ n += $6 } END { print n + 0 }' "$steps"; }
goes_on() { [ "$(seconds_used)" -lt "$limit" ] && [ $((SECONDS - began)) -lt "$now" ]; }

# step ROUND CPUS KERNEL PROGRAM SIZE: runs it unless it is done; its line in $steps says how it went
step() {
	local key="$1 $2 $3 $4" flags=() result=ok size=$5 start=$SECONDS
	grep -q "^$key " "$steps" && return
	goes_on || return
	[ "$3 $4" != "debug shares" ] || return # torture is unfair
	if [ "$3" = debug ]; then
		flags=(--kernel "$work/debug.elf" --kernel-arg "torture=$1")
		size=$((size / 50 + 1))
	fi
	"$work/programs" "$4" "$size" >"$work/linux.out" 2>&1
	"$gosolo" run -m 256M -c "$2" --timeout 1200s --log "$work/log" "${flags[@]}" "$work/programs" "$4" "$size" \
		>"$work/out" 2>"$work/err" || result=failed
	cmp -s "$work/linux.out" "$work/out" || result=failed
	if [ $result != ok ]; then
		echo "FAILED: $key, size $size:" >&2
		tail -n 40 "$work/out" "$work/err" "$work/log" >&2
	fi
	echo "$key $size $((SECONDS - start)) $result $commit" >>"$steps"
}

# suite NAME ROUNDS SIZES
suite() {
	local began=$SECONDS round size cpus kernel
	steps=$work/$1/steps
	mkdir -p "$work/$1" && touch "$steps" || exit 1
	for round in $(seq "$2"); do
		for size in $3; do
			for cpus in 1 2 4; do
				for kernel in release debug; do
					step "$round" "$cpus" "$kernel" "${size%:*}" "${size#*:}"
				done
			done
		done
		echo "soak: $1: round $round of $2, $(seconds_used) of $limit seconds used"
		goes_on || break
	done
	report "$1" >"$work/$1/report.md"
	! grep -q ' failed ' "$steps" || failed=1
	if [ "$(seconds_used)" -lt "$limit" ] && ! goes_on; then
		echo "soak: $1 is to be gone on with; $steps has what is done"
	else
		mv "$steps" "$steps.last"
	fi
}

# report NAME: the table of one suite
report() {
	echo "## $1"
	echo
	echo "$(date -u +%F), commit $(awk '!seen[$8]++ { printf "%s%s", n++ ? ", " : "", $8 }' "$steps"):" \
		"$(wc -l <"$steps") runs, $(grep -c ' failed ' "$steps") failed, $(seconds_used) seconds (at most $limit)."
	echo
	echo "| program | CPUs | kernel | runs | loops | failed | seconds |"
	echo "|---|---|---|---|---|---|---|"
	awk '{ k = "| " $4 " | " $2 " | " $3 " |"; runs[k]++; loops[k] += $5; s[k] += $6; bad[k] += $7 != "ok" }
		END { for (k in runs) print k, runs[k], "|", loops[k], "|", bad[k], "|", s[k], "|" }' "$steps" | sort
	echo
}

failed=0
for name in ${SOAK_SUITE:-$suites}; do
	rounds=rounds_$name sizes=sizes_$name
	[ -n "${!sizes:-}" ] || { echo "soak: no suite $name; there are: $suites" >&2; exit 2; }
	suite "$name" "${!rounds}" "${SOAK_SIZES:-${!sizes}}"
done
{
	printf '# The last soak\n\nWritten by `make soak`: %s host CPUs, %s.\n\n' "$(nproc)" "$("$gosolo" version | head -n 1)"
	for name in $suites; do
		if [ -f "$work/$name/report.md" ]; then cat "$work/$name/report.md"; else printf '## %s\n\nNot run.\n\n' "$name"; fi
	done
} | sed '$d' >docs/soak.md
cat docs/soak.md
[ $failed = 0 ]
