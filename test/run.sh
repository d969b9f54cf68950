#!/bin/sh
# run.sh [quick|full|soak|nightly] - boots the machine and compares Go programs there with Linux.
#
#   quick    (default; `make test`) the newest Go with every test, at 1 and 2 CPUs; then programs and
#            stress once more at 4 CPUs, and with the oldest Go that is supported; then the tests of
#            Go's own packages that fit (std.sh)
#   full     both releases in every test
#   soak     the stress tests alone, 50 times as long, with 1, 2 and 4 CPUs
#   nightly  full, and also every release between, with 4 CPUs too; conformance also in a storm of signals
#
# Prints go test's own output, and at the end once more what failed. OUT is the folder of the build (default build). Parameters of
# test/e2e/setup_test.go that are set already stay as they are. The newest Go is the one that
# tools/check-go.sh finds; an older one comes through GOTOOLCHAIN and is skipped, saying so, when it
# cannot be had.
set -u
cd "$(dirname "$0")/e2e" || exit 1
go_folder=$(../../tools/check-go.sh) || exit 1
PATH=$go_folder:$PATH
OUT=${OUT:-build}
case $OUT in /*) ;; *) OUT=$(cd ../.. && pwd)/$OUT ;; esac
export OUT PATH
oldest=go1.22.0
failed=0
log=$OUT/e2e/last.log # of all stages
mkdir -p "$OUT/e2e" && : >"$log" || exit 1

# keep COMMAND...: runs it, with its output into the log, too
keep() {
	{ "$@" 2>&1 || echo "$1 failed" >"$log.failed"; } | tee -a "$log"
	[ ! -e "$log.failed" ] || failed=1
	rm -f "$log.failed"
}

# stage NAME GO CPUS [go test flags]: one pass over the tests
stage() {
	name=$1 go=$2 cpus=$3
	shift 3
	echo "=== e2e: $name"
	keep env GOSOLO_GO="${GOSOLO_GO:-$go}" GOSOLO_CPUS="${GOSOLO_CPUS:-$cpus}" GOWORK=off GOTOOLCHAIN=local \
		GOFLAGS=-buildvcs=false go test -v -count=1 -parallel 2 -timeout 3h "$@" .
}

case ${1:-quick} in
quick)
	stage "newest Go, 1 and 2 CPUs" local "1 2"
	stage "newest Go, 4 CPUs" local 4 -run '^(TestPrograms|TestStress)$'
	stage "oldest Go, 1 CPU" $oldest 1 -run '^(TestPrograms|TestStress|TestConformance)$'
	echo "=== std: tests of Go's own packages, 2 CPUs"
	keep ../std.sh -again -once
	;;
full)
	stage "newest and oldest Go, 1 and 2 CPUs" "local $oldest" "1 2"
	;;
soak)
	GOSOLO_SOAK=${GOSOLO_SOAK:-50} stage "soak" local "1 2 4" -run '^TestStress$'
	;;
nightly)
	GOSOLO_LOAD=${GOSOLO_LOAD:-60s} GOSOLO_OUTAGE=${GOSOLO_OUTAGE:-60s} stage "every Go, 1, 2 and 4 CPUs" "local $oldest go1.22.12 go1.23.12 go1.24.13 go1.25.7" "1 2 4"
	GOSOLO_STORM=${GOSOLO_STORM:-1ms} stage "newest and oldest Go, in a storm of signals" "local $oldest" "1 2" -run '^TestConformance$'
	;;
*)
	echo "usage: test/run.sh [quick|full|soak|nightly]" >&2
	exit 2
	;;
esac
# What the tests that failed printed, 40 lines of each at most, then their names: the end of a long log is
# what is looked at first. Checks that passed (ok) are left out.
tell_failed() {
	awk '/^=== (RUN|CONT|NAME) / { test = $3; next }
		/^=== / { test = ""; next }
		/^ *--- FAIL:/ { failed[++n] = $3; next }
		/^ *ok   / || /^ *--- (PASS|SKIP):/ { next }
		/^(FAIL|FAILED|panic:|fatal error:)/ { more = more $0 "\n" }
		{ if (++lines[test] <= 40) text[test] = text[test] $0 "\n" }
		END {
			for (i = 1; i <= n; i++)
				if (text[failed[i]] != "") print "--- " failed[i] "\n" text[failed[i]]
			printf "%s", more
			for (i = 1; i <= n; i++) print "failed: " failed[i]
		}' "$log"
}

if [ $failed != 0 ]; then
	echo "=== what failed"
	tell_failed
fi
exit $failed
