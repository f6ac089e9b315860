#!/usr/bin/env python3
"""Compiles the CUDA sources of all kernels with NVRTC, without a GPU, and prints what each needs.

    cargo test --release -p recoup-kernels --features wgpu sources      writes the sources
    scripts/kernel-resources.py [FOLDER] [--arch sm_90a]                registers, spills, shared memory, units

FOLDER is where the test says that it wrote them. Needs NVRTC and the toolkit's headers: those in PyTorch's packages
(scripts/bench-venv.sh) will do.
"""

import argparse
import ctypes
import glob
import importlib.util
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def toolkit():
    """Folders of headers and the NVRTC library."""
    roots = [os.environ.get("CUDA_PATH", "/usr/local/cuda"), str(ROOT / "target/bench-venv/lib/python3*/site-packages/nvidia/*")]
    spec = importlib.util.find_spec("nvidia")
    if spec:
        roots += [f"{path}/*" for path in spec.submodule_search_locations]
    for root in (path for pattern in roots for path in glob.glob(pattern)):
        libraries = glob.glob(f"{root}/lib*/libnvrtc.so*")
        if libraries and os.path.exists(f"{root}/include/cuda_runtime.h"):
            return ctypes.CDLL(libraries[0]), f"{root}/include"
    sys.exit("NVRTC with headers is not there\nhint: set CUDA_PATH, or run scripts/bench-venv.sh")


def compile_source(nvrtc, include, source, arch):
    """The log of ptxas, which says what a kernel needs."""
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
    options = [f"--gpu-architecture={arch}", f"--include-path={include}", f"--include-path={include}/cccl", "--ptxas-options=-v"]
    array = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
    status = nvrtc.nvrtcCompileProgram(program, len(options), array)
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return status, log.value.decode()


def number(pattern, text, default=0):
    found = re.search(pattern, text)
    return int(found.group(1)) if found else default


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=ROOT / "target/tmp/kernel-sources")
    parser.add_argument("--arch", default="sm_90")
    arguments = parser.parse_args()
    nvrtc, include = toolkit()
    files = sorted(arguments.folder.glob("*.cu"))
    if not files:
        sys.exit(f"{arguments.folder}: no .cu files\nhint: cargo test --release -p recoup-kernels --features wgpu sources")
    print("| kernel | units | registers | spilled bytes | shared bytes | wide accesses | lines |")
    print("|---|---|---|---|---|---|---|")
    failed = 0
    for file in files:
        source = file.read_text()
        status, log = compile_source(nvrtc, include, source, arguments.arch)
        if status != 0:
            failed += 1
            print(f"| {file.stem} | does not compile |", *log.splitlines()[:3], sep="\n")
            continue
        cells = [
            file.stem,
            number(r"__launch_bounds__\((\d+)", source),
            number(r"Used (\d+) registers", log),
            number(r"(\d+) bytes spill stores", log) + number(r"(\d+) bytes spill loads", log),
            number(r"(\d+) bytes of shared memory", source),
            len(re.findall(r"reinterpret_cast<float_[24]", source)),
            source.count("\n"),
        ]
        print("|", " | ".join(str(cell) for cell in cells), "|", flush=True)
    if failed:
        sys.exit(f"{failed} of {len(files)} do not compile")


if __name__ == "__main__":
    main()
