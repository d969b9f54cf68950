#!/usr/bin/env bash
# run.sh: checks the models of the hand-offs with spin, and that each finds its planted bugs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v spin >/dev/null || { echo "models: spin is missing: apt-get install spin" >&2; exit 1; }

# verify MODEL BUG: exit status 0 when no error is found
verify() {
	local dir=$work/$1.$2
	mkdir -p "$dir"
	(cd "$dir" && spin -a -DBUG="$2" "$here/$1.pml" >spin.log &&
		gcc -O2 -w -DSAFETY -o pan pan.c && ./pan -m100000 >pan.log) || {
		cat "$dir"/*.log >&2
		exit 1
	}
	grep -q 'max search depth too small' "$dir/pan.log" && { echo "models: $1: depth" >&2; exit 1; }
	grep -q 'errors: 0' "$dir/pan.log"
}

for spec in handoff:2 shootdown:9 timer:3 cputimer:4; do
	model=${spec%:*} bugs=${spec#*:}
	verify "$model" 0 || { echo "models: $model has an error" >&2; cat "$work/$model.0/pan.log" >&2; exit 1; }
	for bug in $(seq "$bugs"); do
		verify "$model" "$bug" && { echo "models: $model does not find planted bug $bug" >&2; exit 1; }
	done
	echo "models: $model holds; finds $bugs planted bugs"
done
