#!/usr/bin/env bash
# Cargo's RUSTC_WORKSPACE_WRAPPER for the fuzz targets: compiles the crates of this workspace, and no others, with what libFuzzer watches
# (coverage, compared values) and with AddressSanitizer. So the dependencies are those of any other build, as they are.
set -euo pipefail

for word in "$@"; do
    # Asked what it is or knows, and for programs that run while others are compiled.
    case $word in -vV | --print=* | ___ | build_script_build) exec "$@" ;; esac
done
# The options are those that cargo-fuzz gives. The sanitizer is the only one that the stable compiler wants to be told twice.
RUSTC_BOOTSTRAP=1 exec "$@" --cfg fuzzing -Cdebug-assertions -Zsanitizer=address -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
