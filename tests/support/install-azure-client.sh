#!/usr/bin/env bash
# A Python environment with Azure's own client. Usage: install-azure-client.sh FOLDER. install-venv.sh says what it prints.
exec bash "$(dirname "${BASH_SOURCE[0]}")/install-venv.sh" requirements-azure.txt "$@"
