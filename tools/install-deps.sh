#!/bin/bash
# install-deps.sh GROUP...: installs the Debian packages that are missing, saying what each is for.
#
# Groups: build (the command and the kernel), run (booting), test, check (make check), fuzz, gdb, real
# (test/real.sh). A package counts as present when what we use of it is there, however it came: so nothing happens
# on a complete machine, and no root is needed to find out. As root or through sudo.
set -u

# group  package          what we use of it                      what for
packages='
build    gcc              cmd:gcc                                compiling kernel and command
build    make             cmd:make                               the build
build    binutils         cmd:ld                                 linking the kernel
build    libc6-dev        inc:stdio.h                            the command'"'"'s C library
build    linux-libc-dev   inc:linux/virtio_ring.h                layouts of Linux and virtio
build    libbsd-dev       inc:bsd/sys/tree.h                     trees and queues in the kernel
build    libstb-dev       inc:stb/stb_sprintf.h                  formatting in the kernel
build    libxen-dev       inc:xen/elfnote.h                      layout of the PVH boot protocol
build    dpkg-dev         cmd:dpkg-source                        unpacking lwIP and BearSSL sources
build    xz-utils         cmd:xz                                 the same
build    ca-certificates  file:/etc/ssl/certs/ca-certificates.crt  HTTPS, also for programs in the machine
run      qemu-system-x86  cmd:qemu-system-x86_64                 the virtual machine
run      tzdata           file:/usr/share/zoneinfo/UTC           time zones for programs in the machine
test     curl             cmd:curl                               asking the web server in the machine
test     arping           cmd:arping                             driving examples/ethdump
test     iproute2         cmd:ip                                 TAP interfaces for tests
test     gdb              cmd:gdb                                the test of our gdb commands
check    clang            cmd:clang                              the second compiler
check    clang-format     cmd:clang-format                       the format check
check    clang-tidy       cmd:clang-tidy                         analysis
check    cppcheck         cmd:cppcheck                           analysis
bench    wrk              cmd:wrk                                HTTP requests to measure with
fuzz     clang            cmd:clang                              fuzzing
fuzz     libclang-rt-14-dev  glob:/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a  libFuzzer and the sanitizers
check    spin             cmd:spin                               models of hand-offs between CPUs
gdb      gdb              cmd:gdb                                debugging the machine
real     npm              cmd:npm                                fetching esbuild and what it bundles
real     nodejs           cmd:node                               running the bundle
'

is_present() {
	local what=${1#*:}
	case $1 in
	cmd:*) command -v "$what" >/dev/null || [ -x "/usr/sbin/$what" ] ;;
	file:*) [ -e "$what" ] ;;
	glob:*) compgen -G "$what" >/dev/null ;;
	inc:*) [ -e "/usr/include/$what" ] || [ -e "/usr/include/x86_64-linux-gnu/$what" ] ;;
	esac
}

missing=()
while read -r group package probe reason; do
	[ -n "$group" ] && [[ " $* " == *" $group "* ]] || continue
	is_present "$probe" && continue
	[ ${#missing[@]} -gt 0 ] || echo "Missing Debian packages:"
	printf '  %-16s %s\n' "$package" "$reason"
	missing+=("$package")
done <<<"$packages"
[ ${#missing[@]} -gt 0 ] || exit 0

sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo)
install=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends
	"${missing[@]}")
if ! command -v apt-get >/dev/null; then
	echo "This is not a Debian system: please install the equivalents, then try again." >&2
	exit 1
elif [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
	echo "Neither root nor sudo; as root, run: apt-get install ${missing[*]}" >&2
	exit 1
fi

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
echo "Installing them: apt-get install ${missing[*]}"
# A fresh container has no package lists, and old lists name versions that are gone.
"${install[@]}" >"$log" 2>&1 ||
	{ "${sudo[@]}" apt-get update -q >>"$log" 2>&1; "${install[@]}" >>"$log" 2>&1; } ||
	{ tail -n 20 "$log" >&2; echo "The packages could not be installed (above: apt-get's last lines)." >&2; exit 1; }
echo "Installed."
