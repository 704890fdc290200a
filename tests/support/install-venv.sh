#!/usr/bin/env bash
# Makes a Python environment for the tests. Usage: install-venv.sh REQUIREMENTS FOLDER, where REQUIREMENTS is a file beside this script.
# Prints the environment's folder on its last line. Does nothing when it is there already; two at once are safe.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
requirements=$here/$1
mkdir -p "$2"
root=$(cd "$2" && pwd)
# The folder is named after the pinned versions, so a change of them never meets an old environment.
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
