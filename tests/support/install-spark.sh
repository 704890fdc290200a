#!/usr/bin/env bash
# A Python environment with Spark. Usage: install-spark.sh FOLDER. install-venv.sh says what it prints.
exec bash "$(dirname "${BASH_SOURCE[0]}")/install-venv.sh" requirements-spark.txt "$@"
