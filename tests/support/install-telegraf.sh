#!/usr/bin/env bash
# Builds Telegraf with the few plugins that the tests use. Usage: install-telegraf.sh FOLDER
# Prints the folder of the binary on its last line. Does nothing when it is there already; two at once are safe.
set -euo pipefail

version=v1.37.2
tags=custom,inputs.file,parsers.influx,parsers.value,processors.converter,processors.starlark,outputs.file,serializers.influx

mkdir -p "$1"
root=$(cd "$1" && pwd)
# The folder is named after version and plugins, so a change of them never meets an old binary.
bin=$root/$version-$(printf %s "$tags" | sha256sum | cut -c1-12)

exec 9>"$root/install.lock"
flock 9
if [ ! -x "$bin/telegraf" ]; then
    # Telegraf asks for a Go newer than Debian's. From 1.21 on Go fetches the one that is asked for, where it may:
    # some distributions forbid it in their defaults, and a user who forbids it in the environment is heard.
    export GOTOOLCHAIN=${GOTOOLCHAIN:-auto}
    has=$(go env GOVERSION 2>/dev/null || echo none)
    if ! [[ $has =~ ^go1\.([0-9]+) ]] || ((BASH_REMATCH[1] < 21)); then
        echo "building Telegraf needs Go 1.21 or later (on Debian: apt-get install golang-go); here is $has" >&2
        exit 1
    fi
    fresh=$(mktemp -d "$root/fresh.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    # Without C no compiler is needed, and the binary runs on any Linux.
    GOBIN=$fresh CGO_ENABLED=0 nice go install -tags "$tags" "github.com/influxdata/telegraf/cmd/telegraf@$version" >&2
    mv "$fresh" "$bin"
fi
echo "$bin"
