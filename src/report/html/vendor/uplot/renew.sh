#!/usr/bin/env bash
# Fetches a version of uPlot from npm and puts it in place of the one here. Usage: renew.sh VERSION (such as 1.6.32)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=${1:?the version, such as 1.6.32}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# npm compares the package with the checksum that the registry has of it.
tar xzf "$(npm pack --silent "uplot@$version")"
grep -q '"license": "MIT"' package/package.json || {
    echo "uplot $version is no longer under the MIT licence" >&2
    exit 1
}
cp package/LICENSE package/dist/uPlot.iife.min.js package/dist/uPlot.min.css "$here/"

cd "$here"
{
    sed -n '1,/^\[sha256\]/p' VENDORED.toml | sed "s/^version = .*/version = \"$version\"/"
    for file in LICENSE uPlot.iife.min.js uPlot.min.css; do
        printf '"%s" = "%s"\n' "$file" "$(sha256sum "$file" | cut -c1-64)"
    done
} >VENDORED.new
mv VENDORED.new VENDORED.toml
echo "uplot $version; run the tests and look at the page"
