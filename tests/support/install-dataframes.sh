#!/usr/bin/env bash
# A Python environment with pandas, pyarrow and Polars. Usage: install-dataframes.sh FOLDER. install-venv.sh says what it prints.
exec bash "$(dirname "${BASH_SOURCE[0]}")/install-venv.sh" requirements-dataframes.txt "$@"
