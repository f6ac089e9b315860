#!/usr/bin/env bash
# Passes all tests, on a fresh Debian with a Rust toolchain too: installs what the tests need, then runs them.
#
#   scripts/test.sh [ARGUMENTS OF cargo test]         the default build, on the CPU
#   scripts/test.sh wgpu [ARGUMENTS OF cargo test]    with `--features wgpu`: on the GPU, or on a software Vulkan device
#
# Python packages go to .venv. System packages (python3-venv; mesa-vulkan-drivers and libvulkan1 for `wgpu`) are installed
# with apt-get only if they are missing. Set RECOUP_TEST_DATA to a folder with downloaded datasets (gaitndd/ in it) to
# run the tests on real recordings too; VK_DRIVER_FILES chooses the Vulkan driver, as always.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

install_packages() {
    local become=()
    if [ "$(id -u)" -ne 0 ]; then
        become=(sudo)
    fi
    if ! command -v apt-get >/dev/null || { [ ${#become[@]} -gt 0 ] && ! command -v sudo >/dev/null; }; then
        fail "missing: $*" "hint: install what corresponds to these Debian packages (apt-get or root rights are not here)"
    fi
    echo "installing $*"
    "${become[@]}" apt-get update -qq
    "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# A Python with TensorBoard, which reads the event files that the tests write.
prepare_python() {
    local wanted=tests/python/requirements.txt installed=.venv/requirements.txt
    if ! cmp -s "$wanted" "$installed" || ! .venv/bin/python -c '' 2>/dev/null; then
        python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3 python3-venv
        python3 -m venv --clear .venv
        .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$wanted"
        cp "$wanted" "$installed"
    fi
    export RECOUP_TEST_PYTHON="$PWD/.venv/bin/python"
}

# A Vulkan loader and a driver: that of the GPU, or Mesa's lavapipe, which computes on the CPU.
prepare_vulkan() {
    local drivers=/usr/share/vulkan/icd.d
    if [ -n "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ]; then
        return
    fi
    if ! PATH="$PATH:/sbin:/usr/sbin" ldconfig -p | grep -F libvulkan.so.1 >/dev/null ||
        ! { compgen -G "$drivers/*.json" || compgen -G '/etc/vulkan/icd.d/*.json'; } >/dev/null; then
        install_packages libvulkan1 mesa-vulkan-drivers
    fi
    # Without a GPU the loader need not try the drivers of all vendors.
    local lavapipe
    lavapipe=$(compgen -G "$drivers/lvp_icd*.json" | head -n 1 || true)
    if [ -n "$lavapipe" ] && ! compgen -G '/dev/dri/renderD*' >/dev/null && [ ! -e /dev/nvidiactl ]; then
        export VK_DRIVER_FILES="$lavapipe"
    fi
}

command -v cargo >/dev/null || fail "cargo is not there" "hint: install Rust from https://rustup.rs"
command -v cc >/dev/null || install_packages gcc libc6-dev

features=()
if [ "${1:-}" = wgpu ]; then
    shift
    features=(--features wgpu)
    prepare_vulkan
fi
prepare_python
cargo test --locked --release --workspace "${features[@]}" "$@"
