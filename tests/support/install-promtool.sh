#!/usr/bin/env bash
# Puts Prometheus' promtool into a folder. Usage: install-promtool.sh FOLDER
# Prints the folder on its last line. Does nothing when it is there already; two at once are safe.
# Of Debian's package only this program is taken, nothing is installed and no server started; where the system has one, that is taken.
set -euo pipefail

mkdir -p "$1"
root=$(cd "$1" && pwd)

exec 9>"$root/install.lock"
flock 9
if [ ! -x "$root/promtool" ]; then
    if own=$(command -v promtool); then
        ln -s "$own" "$root/promtool"
        echo "$root"
        exit
    fi
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        echo "there is no promtool, and no Debian or Ubuntu to take one from: install Prometheus" >&2
        exit 1
    fi
    fresh=$(mktemp -d "$root/fresh.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    cd "$fresh"
    # A fresh system has no lists of packages yet.
    apt-get download -q prometheus >&2 || { ((EUID == 0)) && apt-get update -q >&2 && apt-get download -q prometheus >&2; }
    dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
    mv usr/bin/promtool "$root/promtool"
fi
echo "$root"
