#!/bin/bash
# kernel-symbols.sh KERNEL.ELF: the kernel's functions as a table in assembler, for its own reports.
#
# The kernel is linked twice: the first time without the table, which lies behind all code, so that
# the second link moves no function (the Makefile compares). Format: kernel/ksym.c. The build id is
# over all that is loaded; the same source and compiler give the same bytes.
set -u
set -o pipefail
elf=$1
objcopy -O binary "$elf" "$elf.bin" && id=$(sha256sum <"$elf.bin" | cut -c 1-16) || exit 1
rm -f "$elf.bin"
nm -n -t d --defined-only "$elf" | awk -v id="$id" '
BEGIN {
	print "\t.section .ksyms, \"a\", @progbits"
	print "\t.ascii \"" id "\""
}
function leb(n,    out) {
	for (; n >= 128; n = int(n / 128))
		out = out (n % 128 + 128) ","
	return out n
}
function emit(address, name,    shared, most) {
	most = length(last) < length(name) ? length(last) : length(name)
	shared = 0
	while (shared < most && substr(last, shared + 1, 1) == substr(name, shared + 1, 1))
		shared++
	print "\t.byte " leb(address - base) "," shared "," length(name) - shared
	if (length(name) > shared)
		print "\t.ascii \"" substr(name, shared + 1) "\""
	base = address
	last = name
}
ended || $2 !~ /^[tT]$/ { next } # to the end of the list: nm must not find its pipe closed
{ sub(/\.(isra|constprop|part|cold)(\.[0-9]+)*$/, "", $3) }
$3 == "kernel_text_start" { base = $1 + 0; inside = 1; next }
$3 == "kernel_text_end" { emit($1 + 0, ""); ended = 1; next }
inside && !seen[$1]++ { emit($1 + 0, substr($3, 1, 63)) }
END { if (!ended) { print "kernel-symbols: no kernel_text_end" >"/dev/stderr"; exit 1 } }'
