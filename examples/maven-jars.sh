#!/usr/bin/env bash
# Collects the jars that a pom.xml names, by Maven. Usage: maven-jars.sh POM FOLDER
# Prints the folder of the jars on its last line. Does nothing when they are there already; two at once are safe.
set -euo pipefail

pom=$1
mkdir -p "$2"
root=$(cd "$2" && pwd)
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
