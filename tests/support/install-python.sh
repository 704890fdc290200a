#!/usr/bin/env bash
# A Python environment with what builds and tests the Python package. Usage: install-python.sh FOLDER. install-venv.sh says what it prints.
exec bash "$(dirname "${BASH_SOURCE[0]}")/install-venv.sh" requirements-python.txt "$@"
