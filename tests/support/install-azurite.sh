#!/usr/bin/env bash
# Puts Azurite into a folder, Microsoft's own server with the protocol of Azure's blobs. Usage: install-azurite.sh FOLDER
# Prints the folder with its node_modules on its last line. Does nothing when it is there already; two at once are safe.
set -euo pipefail

version=3.35.0

mkdir -p "$1"
root=$(cd "$1" && pwd)
made=$root/$version

exec 9>"$root/install.lock"
flock 9
if [ ! -e "$made" ]; then
    if ! npm --version >/dev/null 2>&1; then
        echo "Azurite needs Node.js and npm (on Debian: apt-get install npm)" >&2
        exit 1
    fi
    fresh=$(mktemp -d "$root/fresh.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    # Its dependencies' scripts would build what a server in memory has no use for.
    nice npm install --prefix "$fresh" --no-audit --no-fund --no-save --ignore-scripts "azurite@$version" >&2
    chmod 755 "$fresh"
    mv "$fresh" "$made"
fi
echo "$made"
