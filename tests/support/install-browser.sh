#!/usr/bin/env bash
# A Python environment that drives Chromium, which itself is the system's (on Debian: apt-get install chromium).
# Usage: install-browser.sh FOLDER. install-venv.sh says what it prints.
exec bash "$(dirname "${BASH_SOURCE[0]}")/install-venv.sh" browser-requirements.txt "$@"
