#!/bin/bash
# get-go.sh [VERSION]: gets a Go toolchain, with the help of any older Go, as an ordinary user.
#
# Go's own releases are also served as a module, golang.org/toolchain, through the module proxy
# and with checksums from Go's checksum database. Every go command since 1.16 can download and
# verify it, Debian's 1.19 too; only Go >= 1.21 would also know how to use it by itself.
# It is put where tools/check-go.sh looks, and stays out of the way of other installations.
set -eu
version=${1:-1.26.8}
version=${version#go}
target=${XDG_DATA_HOME:-$HOME/.local/share}/gosolo/go

if ! command -v go >/dev/null; then
	sudo=()
	[ "$(id -u)" = 0 ] || sudo=(sudo)
	echo "No go command at all: installing Debian's (golang-go) to fetch the newer one with"
	"${sudo[@]}" apt-get update -q >/dev/null
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends golang-go ca-certificates >/dev/null
fi

scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
module=golang.org/toolchain@v0.0.1-go$version.linux-amd64
echo "Downloading Go $version"
(cd "$scratch" && GOPATH=$scratch GOFLAGS=-modcacherw go mod download "$module")

mkdir -p "$(dirname "$target")"
unpacked=$scratch/pkg/mod/$module
chmod +x "$unpacked"/bin/* "$unpacked"/pkg/tool/*/* # modules carry no permissions
rm -rf "$target.new"
cp -r "$unpacked" "$target.new"
rm -rf "$target"
mv "$target.new" "$target"
"$target/bin/go" version
echo "make finds it by itself; for your shell: export PATH=$target/bin:\$PATH"
