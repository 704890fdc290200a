#!/usr/bin/env bash
# A Python environment with readers of buckets. Usage: install-bucket-readers.sh FOLDER. install-venv.sh says what it prints.
exec bash "$(dirname "${BASH_SOURCE[0]}")/install-venv.sh" requirements-buckets.txt "$@"
