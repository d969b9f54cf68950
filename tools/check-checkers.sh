#!/bin/bash
# check-checkers.sh: proves on a toy tree that each checker passes what is right and fails on a
# planted violation. A checker that finds nothing any more would otherwise go unnoticed.
set -u
tools=$(cd "$(dirname "$0")" && pwd)
toy=$(mktemp -d) || exit 1
trap 'rm -rf "$toy"' EXIT
cd "$toy" || exit 1
cp "$tools/../.clang-format" "$tools/../.clang-tidy" .
planted=0

plant() { mkdir -p "$(dirname "$1")" && printf '%s\n' "${@:2}" >"$1"; }

expect() { # pass|fail, text that must be said, command...
	local want=$1 text=$2 out got=pass
	shift 2
	out=$("$@" 2>&1) || got=fail
	planted=$((planted + 1))
	if [ $got != "$want" ] || ! grep -qF -- "$text" <<<"$out"; then
		printf 'check-checkers: %s: wanted %s saying "%s", got %s:\n%s\n' "$1" "$want" "$text" $got "$out" >&2
		exit 1
	fi
}

# A right tree: lib below kernel, one listed upcall (the real list serves), one private header.
right_tree() {
	rm -rf lib kernel fs net arch cli include
	plant include/base/types.h '#pragma once' '#include <stdint.h>'
	plant lib/crc.h '#pragma once' '#include "base/types.h"' 'uint32_t crc_add(uint32_t v);'
	plant lib/crc.c '#include "lib/crc.h"' '' 'uint32_t crc_add(uint32_t v)' '{' '	return v + 1;' '}'
	plant arch/arch.h '#pragma once' 'void kernel_handle_timer(void);' 'void arch_tick(void);'
	plant arch/tick.c '#include "arch/arch.h"' '' 'extern const char text_end[];' '' 'void arch_tick(void)' '{' '	kernel_handle_timer();' '}'
	plant kernel/mm/vm_priv.h '#pragma once' 'int vm_secret(void);'
	plant kernel/mm/vm.h '#pragma once' 'int vm_map(void);'
	plant kernel/mm/vm.c '#include "kernel/mm/vm.h"' '' '#include "kernel/mm/vm_priv.h"' \
		'#include "arch/arch.h"' '#include "lib/crc.h"' '' 'int vm_map(void)' '{' \
		'	return (int)crc_add(1) + vm_secret();' '}' '' 'int vm_secret(void)' '{' '	return 1;' '}' \
		'' 'void kernel_handle_timer(void)' '{' '}'
}

flags=(-std=c11 -Wall -Wextra -Werror -I. -Iinclude)
symbols() { # links every room of the toy tree and checks their symbols
	local room object objects=()
	for room in lib arch kernel fs net; do
		[ -d $room ] || continue
		for object in $(find $room -name '*.c'); do
			cc "${flags[@]}" -c "$object" -o "${object%.c}.part" || return 1
		done
		ld -r -o $room.o $(find $room -name '*.part') && objects+=($room.o)
	done
	"$tools/check-symbols.sh" "${objects[@]}"
}
headers() { "$tools/check-headers.sh" cc "${flags[@]}" -MMD; }
analysis() { "$tools/check-analysis.sh" "${flags[@]}" -- "${flags[@]}"; }

right_tree
expect pass "keep to" "$tools/check-layers.sh"
expect pass "keep to" symbols
expect pass "compile alone" headers
expect pass "agree with" "$tools/check-format.sh"
expect pass "pass clang-tidy" analysis

plant lib/up.c '#include "kernel/mm/vm.h"'
expect fail "lib/up.c:1: kernel/mm/vm.h: lib may not see kernel" "$tools/check-layers.sh"
right_tree
plant fs/peek.c '#include "arch/arch.h"'
expect fail "fs may not see arch" "$tools/check-layers.sh"
right_tree
plant fs/peek.c '#include "kernel/mm/vm_priv.h"'
expect fail "private to kernel/mm" "$tools/check-layers.sh"
right_tree
plant kernel/near.c '#include "vm.h"'
expect fail "not root-relative" "$tools/check-layers.sh"
right_tree
plant kernel/libc.c '#include <stdio.h>'
expect fail "not a system header" "$tools/check-layers.sh"
right_tree
plant cli/main.c '#include "kernel/mm/vm.h"'
expect fail "cli may not see kernel" "$tools/check-layers.sh"
right_tree
plant lib/up.c 'extern int vm_map(void);' 'int up(void);' 'int up(void) { return vm_map(); }'
expect fail "extern" "$tools/check-layers.sh"
plant lib/up.c 'int vm_map(void);' 'int up(void);' 'int up(void) { return vm_map(); }'
expect fail "lib uses vm_map of kernel" symbols
right_tree
plant fs/upcall.c 'void kernel_handle_timer(void) {}'
rm kernel/mm/vm.c
expect fail "arch uses kernel_handle_timer of fs" symbols # listed, but for another room
right_tree
plant lib/needs.h '#pragma once' 'uint32_t needs(void);'
expect fail "lib/needs.h does not compile alone" headers
plant lib/needs.h 'int needs(void);'
expect fail "lib/needs.h: no #pragma once" headers
right_tree
plant lib/ugly.c 'int  ugly;'
expect fail "lib/ugly.c" "$tools/check-format.sh"
plant lib/ugly.c "/* $(printf 'x%.0s' {1..100}) */"
expect fail "lib/ugly.c:1: longer than 100 columns" "$tools/check-format.sh"
mapfile -t lines < <(yes | head -501)
expect pass "500 lines at most" "$tools/check-length.sh"
plant test/long.go "${lines[@]}"
expect fail "test/long.go: 501 lines" "$tools/check-length.sh"
rm -r test
right_tree
plant lib/null.c 'int null(int *p);' '' 'int null(int *p)' '{' '	if (!p)' '		return *p;' '	return 0;' '}'
expect fail "lib/null.c" analysis
plant lib/null.c 'int over(void);' '' 'int over(void)' '{' '	int a[2] = { 0, 1 };' '' '	return a[2];' '}'
expect fail "lib/null.c" analysis

rm -rf lib kernel fs net arch cli include
module=('/*' ' * crc.c: x.' ' *' ' * What:       x' ' * Invariants: none' ' * Locking:    none' ' * Failure:    none')
plant CAVEATS.md 'lib/crc.c does this and that'
plant lib/crc.c "${module[@]}" ' * Source:     none' ' */' '/* CAVEAT: this and that */'
expect pass "comments: " "$tools/check-comments.sh"
plant lib/crc.c "${module[@]}" ' */'
expect fail 'without "Source:"' "$tools/check-comments.sh"
plant lib/crc.c "${module[@]}" ' * Source:     none' ' */' '/* TODO */'
expect fail "TODO" "$tools/check-comments.sh"
plant CAVEATS.md 'nothing'
plant lib/crc.c "${module[@]}" ' * Source:     none' ' */' '/* CAVEAT: this and that */'
expect fail "lib/crc.c: has a CAVEAT" "$tools/check-comments.sh"

echo "checkers: $planted expectations hold"
