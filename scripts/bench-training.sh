#!/usr/bin/env bash
# Times the training of experiments/quickstart.toml by Recoup and by PyTorch on the CPU, two threads each, and prints
# how they compare; see benches/README.md.
#
#   scripts/bench-training.sh [--experiment FILE] [--epochs N] [--repeats N] [...]     --help names them all
#
# PyTorch goes to target/bench-venv (scripts/bench-venv.sh). Close other programs first: they spoil the times.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

command -v cargo >/dev/null || fail "cargo is not there" "hint: install Rust from https://rustup.rs"
scripts/bench-venv.sh
target/bench-venv/bin/python benches/torch/compare.py "$@"
