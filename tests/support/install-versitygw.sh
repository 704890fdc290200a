#!/usr/bin/env bash
# Builds Versity's S3 gateway, which serves a folder as buckets. Usage: install-versitygw.sh FOLDER
# Prints the folder of the binary on its last line. Does nothing when it is there already; two at once are safe.
set -euo pipefail

version=v1.8.0

mkdir -p "$1"
root=$(cd "$1" && pwd)
bin=$root/$version

exec 9>"$root/install.lock"
flock 9
if [ ! -x "$bin/versitygw" ]; then
    # As for Telegraf: from 1.21 on Go fetches the version that is asked for, where it may.
    export GOTOOLCHAIN=${GOTOOLCHAIN:-auto}
    has=$(go env GOVERSION 2>/dev/null || echo none)
    if ! [[ $has =~ ^go1\.([0-9]+) ]] || ((BASH_REMATCH[1] < 21)); then
        echo "building versitygw needs Go 1.21 or later (on Debian: apt-get install golang-go); here is $has" >&2
        exit 1
    fi
    fresh=$(mktemp -d "$root/fresh.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    GOBIN=$fresh CGO_ENABLED=0 nice go install "github.com/versity/versitygw/cmd/versitygw@$version" >&2
    mv "$fresh" "$bin"
fi
echo "$bin"
