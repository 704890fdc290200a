#!/usr/bin/env bash
# Collects the jars of Spark's connector to Kafka, by Maven: for clusters that can't ask Maven's repository themselves (`--packages` does
# it for those that can). Usage: jars.sh FOLDER
# Prints the folder of the jars on its last line. Does nothing when they are there already; two at once are safe.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pom=$here/pom.xml
mkdir -p "$1"
root=$(cd "$1" && pwd)
# The folder is named after the pom's content, so a change of version never meets old jars.
libs=$root/libs-$(sha256sum "$pom" | cut -c1-12)

exec 9>"$root/install.lock"
flock 9
if [ ! -d "$libs" ]; then
    fresh=$(mktemp -d "$root/fresh.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    mvn --batch-mode --quiet --file "$pom" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$fresh" >&2
    mv "$fresh" "$libs"
fi
echo "$libs"
