#!/usr/bin/env bash
# Builds the wheel and the example in Rust, optimised, installs them and what they are compared with, and runs read.py.
# Usage: python/benches/run.sh [LINES [ROUNDS]]: 500,000 lines and 5 rounds by default. Other work on the machine spoils the seconds, less so the ratios.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

lines=${1:-500000}
rounds=${2:-5}
venv=$(bash tests/support/install-venv.sh requirements-python.txt target/bench-python | tail -n 1)
"$venv/bin/pip" install --quiet line-protocol-parser==2.0.1 pyilpp==0.1.0
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
cargo build --release --example lines_to_arrow
"$venv/bin/maturin" build --release --locked --compatibility linux --interpreter "$venv/bin/python" --out "$wheels" --manifest-path python/Cargo.toml
"$venv/bin/pip" install --quiet --no-deps --force-reinstall "$wheels"/*.whl
"$venv/bin/python" python/benches/lines.py "$lines" >"$wheels/lines.lp"
"$venv/bin/python" python/benches/read.py "$wheels/lines.lp" target/release/examples/lines_to_arrow "$rounds"
