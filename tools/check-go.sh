#!/bin/bash
# check-go.sh: finds Go 1.22 or newer and prints the folder of its `go`; else says how to get one.
#
# Looked for in PATH, in /usr/local/go, and where tools/get-go.sh puts it.
set -u
wanted_minor=22
own=${XDG_DATA_HOME:-$HOME/.local/share}/gosolo/go
found=

for folder in "$(dirname "$(command -v go 2>/dev/null || echo /nowhere/go)")" /usr/local/go/bin "$own/bin"; do
	[ -x "$folder/go" ] || continue
	version=$("$folder/go" env GOVERSION 2>/dev/null) # "go1.26.8", or "devel go1.27-ab12…"
	if [[ $version =~ go1\.([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -ge $wanted_minor ]; then
		echo "$folder"
		exit 0
	fi
	found="${found:+$found, }${version:-a broken go} in $folder"
done

if [ -n "$found" ]; then
	echo "gosolo needs Go 1.$wanted_minor or newer; found: $found. To get one: tools/get-go.sh" >&2
else
	echo "gosolo needs Go 1.$wanted_minor or newer; found none. To get one: tools/get-go.sh" >&2
fi
exit 1
