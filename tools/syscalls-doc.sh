#!/bin/sh
# syscalls-doc.sh: docs/syscalls.md from abi/linux/syscalls.def, on standard output.
#
# The table is read as the compiler reads it: the preprocessor expands each entry into a row.
{
	echo '#define FULL yes'
	echo '#define PARTIAL in part'
	echo '#define SYSCALL(number, name, arguments, level, note) @ number @ name @ level @ note'
	echo '#define ERRNO(number, name, error, note) @ number @ name @ no: error @ note'
	cat abi/linux/syscalls.def
} | cpp -P -undef | awk -F ' *@ *' '
	NF == 5 {
		gsub(/^"|"$/, "", $5)
		gsub(/" *"/, "", $5)
		printf "%d\t| %d | %s | %s | %s |\n", $2, $2, $3, $4, $5
		count++
		level[$4 ~ /^no/ ? "no" : $4]++
	}
	END {
		printf "-1\t# System calls\n-1\t\n-1\t%s\n", \
			"Made by `tools/syscalls-doc.sh` from `abi/linux/syscalls.def`: do not edit."
		printf "-1\t\n-1\t%d whole, %d in part, %d known and answered with an error. Every other number is\n", \
			level["yes"], level["in part"], level["no"]
		printf "-1\tanswered with ENOSYS, counted, and logged once.\n-1\t\n"
		printf "-1\t| number | name | there | what is missing, or why |\n-1\t|---|---|---|---|\n"
	}' | sort -s -n -k1,1 | cut -f2-
