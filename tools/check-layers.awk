# check-layers.awk: does every include keep to tools/layers.txt?
#
#   awk -f tools/check-layers.awk tools/layers.txt FILE...
#
# Includes of ours are root-relative: "kernel/mm/vm.h" belongs to room kernel. Headers below
# include/ are found by -Iinclude, so "base/errno.h" is include's. Prints each violation as
# FILE:LINE: and exits 1 if there was one. Works with mawk, gawk and busybox awk.

FNR == NR {
	if (/^#/)
		next
	for (i = 2; i <= NF; i++) {
		if ($1 == "<system>")
			system_ok[++patterns] = "^" $i "$"
		else
			ok[$1, $i]
	}
	if ($1 != "<system>")
		room[$1]
	next
}

FNR == 1 {
	split(FILENAME, f, "/")
	own_folder = FILENAME
	sub("/[^/]*$", "", own_folder)
	is_kernel = f[1] != "cli" && f[1] != "test"
	if (!(f[1] in room) && is_kernel)
		complain(FILENAME, f[1] " is not a room of tools/layers.txt")
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, quoted, "\"")
	check_own(quoted[2])
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	split($0, quoted, "[<>]")
	if (is_kernel && !is_system_ok(quoted[2]))
		complain("<" quoted[2] ">", "not a system header that the kernel may see")
}

# An `extern` in a .c goes round the header that is the contract. Places that an assembly file or
# the linker script names have no header: arrays of unknown size, or hidden in the vDSO's object.
FILENAME ~ /\.c$/ && is_kernel && /^[ \t]*extern[ \t]/ && !/\[\][;,]/ && !/visibility\("hidden"\)/ {
	complain("extern", "declare it in the owner's header")
}

function check_own(inc,    target, folder) {
	split(inc, target, "/")
	folder = inc
	sub("/[^/]*$", "", folder)
	if (inc !~ "/" && inc !~ /^(gosolo_abi|boot_info)\.h$/)
		complain(inc, "not root-relative")
	else if (inc ~ /_priv\.h$/ && own_folder != folder)
		complain(inc, "private to " folder)
	else if (!(target[1] in room))
		target[1] = "include"
	if (f[1] == target[1] || (f[1], "*") in ok || (f[1], target[1]) in ok || (f[1], inc) in ok)
		return
	complain(inc, f[1] " may not see " target[1])
}

function is_system_ok(inc,    i) {
	for (i = 1; i <= patterns; i++)
		if (inc ~ system_ok[i])
			return 1
	return 0
}

function complain(what, why) {
	print FILENAME ":" FNR ": " what ": " why
	bad = 1
}

END { exit bad }
