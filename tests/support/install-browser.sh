#!/usr/bin/env bash
# Makes a Python environment that drives Chromium for the tests. Usage: install-browser.sh FOLDER
# Prints the environment's folder on its last line. Does nothing when it is there already; two at once are safe.
# Chromium itself is the system's (on Debian: apt-get install chromium).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
requirements=$here/browser-requirements.txt
mkdir -p "$1"
root=$(cd "$1" && pwd)
# The folder is named after the pinned version, so a change of it never meets an old environment.
venv=$root/venv-$(sha256sum "$requirements" | cut -c1-12)

exec 9>"$root/install.lock"
flock 9
if [ ! -e "$venv/complete" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --requirement "$requirements" >&2
    touch "$venv/complete"
fi
echo "$venv"
