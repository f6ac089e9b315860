#!/usr/bin/env bash
# Times the training of experiments/quickstart.toml by Recoup and by PyTorch on the CPU, two threads each, and prints
# how they compare; see benches/README.md.
#
#   scripts/bench-training.sh [--experiment FILE] [--epochs N] [--repeats N] [...]     --help names them all
#
# PyTorch goes to target/bench-venv, from its CPU index or, where that cannot be reached, from the default package index
# (there it comes with CUDA libraries: some gigabytes, not used). Close other programs first: they spoil the times.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

prepare_python() {
    local wanted=benches/torch/requirements.txt installed=target/bench-venv/requirements.txt
    local cpu_index=https://download.pytorch.org/whl/cpu
    if cmp -s "$wanted" "$installed" && target/bench-venv/bin/python -c 'import torch, safetensors' 2>/dev/null; then
        return
    fi
    python3 -c 'import ensurepip, venv' 2>/dev/null || fail "python3 with venv is not there" "hint: apt-get install python3-venv"
    echo "installing PyTorch to target/bench-venv"
    python3 -m venv --clear target/bench-venv
    local install=(target/bench-venv/bin/python -m pip install --quiet --disable-pip-version-check)
    "${install[@]}" --retries 0 --timeout 15 --index-url "$cpu_index" 'torch>=2.6' 2>/dev/null ||
        echo "its CPU index cannot be reached: installing from the default package index"
    "${install[@]}" -r "$wanted"
    cp "$wanted" "$installed"
}

command -v cargo >/dev/null || fail "cargo is not there" "hint: install Rust from https://rustup.rs"
prepare_python
target/bench-venv/bin/python benches/torch/compare.py "$@"
