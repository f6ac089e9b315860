#!/usr/bin/env bash
# Puts PyTorch, the peer of the benchmarks, into target/bench-venv: from its CPU index or, where that cannot be reached,
# from the default package index (there it comes with CUDA libraries: some gigabytes).
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

wanted=benches/torch/requirements.txt installed=target/bench-venv/requirements.txt
if cmp -s "$wanted" "$installed" && target/bench-venv/bin/python -c 'import torch, safetensors' 2>/dev/null; then
    exit
fi
python3 -c 'import ensurepip, venv' 2>/dev/null || fail "python3 with venv is not there" "hint: apt-get install python3-venv"
echo "installing PyTorch to target/bench-venv"
python3 -m venv --clear target/bench-venv
install=(target/bench-venv/bin/python -m pip install --quiet --disable-pip-version-check)
"${install[@]}" --retries 0 --timeout 15 --index-url https://download.pytorch.org/whl/cpu 'torch>=2.6' 2>/dev/null ||
    echo "its CPU index cannot be reached: installing from the default package index"
"${install[@]}" -r "$wanted"
cp "$wanted" "$installed"
