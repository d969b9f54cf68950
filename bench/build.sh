#!/bin/bash
# build.sh DIR: makes what the measurements need, in DIR:
#
#   hello httpd large micro      the Go programs, as `go build` makes them
#   *.image                      the same as images of ours
#   vmlinux, hello.cpio, ...     Debian's cloud kernel, unpacked, and an initramfs for each program
#   floor, insncount.so, measure the measuring side
#
# The kernel comes by apt-get download from the package that linux-image-cloud-amd64 names; it is
# kept in the cache and not installed. GOSOLO is the command.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gosolo/linux
export CGO_ENABLED=0 GOOS=linux GOARCH=amd64 GOFLAGS=-buildvcs=false GOWORK=off GOTOOLCHAIN=local

(cd "$here/progs" && go build -o "$dir/" ./...)
(cd "$here/measure" && go build -o "$dir/measure" .)
for program in hello httpd micro; do
	"$GOSOLO" build -o "$dir/$program.image" "$dir/$program"
done
gcc -O2 -shared -fPIC -o "$dir/insncount.so" "$here/plugin/insncount.c"
gcc -m32 -nostdlib -static -no-pie -Wl,-Ttext=0x100000 -Wl,--build-id=none \
	-o "$dir/floor" "$here/linux/floor.S"
gcc -Os -static -nostdlib -ffreestanding -fno-stack-protector -fno-pie -no-pie -s \
	-o "$dir/init" "$here/linux/init.c"

package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p' | head -n 1)
[ -n "$package" ] || {
	echo "bench: apt does not know linux-image-cloud-amd64 (try apt-get update)" >&2
	exit 1
}
root=$cache/$package
if [ ! -d "$root" ]; then
	rm -rf "$root.part"
	mkdir -p "$root.part"
	(cd "$root.part" && apt-get -q download "$package" >&2 && dpkg-deb -x ./*.deb . && rm ./*.deb)
	mv "$root.part" "$root"
fi
version=${package#linux-image-}
if [ ! -e "$dir/vmlinux" ] || [ "$root" -nt "$dir/vmlinux" ]; then
	"$dir/measure" -vmlinux "$dir/vmlinux" "$root/boot/vmlinuz-$version"
fi

# The modules that a network over virtio-mmio needs, in the order that they load in.
modules=()
list=
for name in virtio_ring virtio virtio_mmio failover net_failover virtio_net; do
	file=$(find "$root/lib/modules/$version" -name "$name.ko*" | head -n 1)
	case $file in
	*.xz) xz -dc "$file" >"$dir/$name.ko" ;;
	?*) cp "$file" "$dir/$name.ko" ;;
	*) continue ;; # built in
	esac
	strip -g "$dir/$name.ko"
	modules+=("$name.ko=$dir/$name.ko")
	list+="/$name.ko"$'\n'
done
printf %s "$list" >"$dir/modules"
"$dir/measure" -initramfs "$dir/hello.cpio" "init=$dir/hello"
"$dir/measure" -initramfs "$dir/micro.cpio" "init=$dir/micro"
"$dir/measure" -initramfs "$dir/httpd.cpio" "init=$dir/init" "app=$dir/httpd" \
	"modules=$dir/modules" "${modules[@]}"
