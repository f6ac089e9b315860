#!/usr/bin/env bash
# Checks and times the kernels on a GPU machine that has no Rust: builds here, runs there, in under eight minutes.
#
#   scripts/gpu.sh pack [--device cuda|wgpu] [CARGO OPTIONS]     writes target/recoup-gpu.tar.xz (carry it over, unpack)
#   scripts/gpu.sh run [--device cuda|wgpu]                      there, in the unpacked folder; or here after `pack`
#
# `run` first tests every operation on the device: value, gradients, the replica law; a red test ends it. Then it times
# each against PyTorch (torch.stft with cuFFT, cuDNN's convolutions and recurrences), burn's own and the bandwidth of a
# copy, and forty models trained together against PyTorch's loop, torch.func.vmap and CUDA graphs. Results go to
# kernels/benches/results/<date>-<gpu>.json. It needs the driver, a Python with PyTorch and, for CUDA, NVRTC with the
# toolkit's headers: those in PyTorch's own packages will do. `--device wgpu` proves the way on a software Vulkan device.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

pack() {
    local features=wgpu folder=target/recoup-gpu list=target/recoup-gpu.json
    if [ "$device" = cuda ]; then
        features=cuda-cpp
    fi
    command -v cargo >/dev/null || fail "cargo is not there" "hint: install Rust from https://rustup.rs"
    rm -rf "$folder"
    mkdir -p "$folder"
    cargo test --release -p recoup-kernels --features "$features" --test it --bench ops --no-run \
        --message-format json "$@" >"$list"
    python3 - "$list" "$folder" <<'PYTHON'
import json, shutil, sys
messages = [json.loads(line) for line in open(sys.argv[1])]
for message in messages:
    if message.get("executable") and message["target"]["name"] in ("it", "ops"):
        shutil.copy(message["executable"], f"{sys.argv[2]}/{message['target']['name']}")
PYTHON
    strip "$folder/it" "$folder/ops"
    git rev-parse HEAD >"$folder/commit"
    tar -C target -cf - recoup-gpu -C .. scripts/gpu.sh scripts/bench-peers.py kernels/benches/torch |
        xz -T0 -3 >target/recoup-gpu.tar.xz
    ls -l target/recoup-gpu.tar.xz
}

# NVRTC and the headers from PyTorch's packages, unless a toolkit is installed.
prepare_cuda() {
    if [ -n "${CUDA_PATH:-}" ] || [ -d /usr/local/cuda/include ]; then
        return
    fi
    local packages
    packages=$("$python" -c 'import nvidia, os; print(os.path.abspath(list(nvidia.__path__)[0]))' 2>/dev/null) ||
        fail "no CUDA toolkit and no nvidia packages of PyTorch" "hint: set CUDA_PATH to a toolkit"
    local runtime
    runtime=$(dirname "$(find "$packages" -name 'cuda_runtime.h' -print -quit)")
    export CUDA_PATH=${runtime%/include}
    LD_LIBRARY_PATH=$(find "$packages" -name 'libnvrtc.so.*' -printf '%h:' -quit)${LD_LIBRARY_PATH:-}
    export LD_LIBRARY_PATH
}

run() {
    local folder=recoup-gpu
    [ -d "$folder" ] || folder=target/recoup-gpu
    [ -x "$folder/ops" ] || fail "$folder/ops is not there" "hint: scripts/gpu.sh pack, then unpack target/recoup-gpu.tar.xz"
    python=$(command -v python3)
    "$python" -c 'import torch' 2>/dev/null || python=target/bench-venv/bin/python
    "$python" -c 'import torch' || fail "no Python with PyTorch" "hint: python3 -m pip install torch, or scripts/bench-venv.sh"
    if [ "$device" = cuda ]; then
        prepare_cuda
    fi
    RECOUP_COMMIT=$(cat "$folder/commit")
    export RECOUP_COMMIT
    local start=$SECONDS
    echo "== correctness"
    "$folder/it"
    echo "== correctness: ok, $((SECONDS - start)) s"
    "$python" scripts/bench-peers.py --device "$device" --binary "$folder/ops" --seconds 0.15 --rounds 3 "$@"
    echo "== all, $((SECONDS - start)) s"
}

verb=${1:-}
shift || true
device=cuda
if [ "${1:-}" = --device ]; then
    device=${2:-}
    shift 2
fi
case $verb in
pack | run) "$verb" "$@" ;;
*) fail "usage: scripts/gpu.sh pack|run [--device cuda|wgpu]" ;;
esac
