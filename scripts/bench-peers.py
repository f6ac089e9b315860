#!/usr/bin/env python3
"""Times every operation of recoup-kernels against PyTorch and burn, in turns, and prints the ratios.

    scripts/bench-peers.py                                  the CPU, two threads on each side
    scripts/bench-peers.py --device cuda --binary ./ops     a GPU, with a benchmark built elsewhere
    scripts/bench-peers.py --filter stft --seconds 0.5      some of them

The two programs take turns, so that a disturbance falls on both; a ratio is the median time of the peer over ours, above
1 when ours is faster. Results with every single timing go to kernels/benches/results/<date>-<machine>.json. PyTorch is
installed to target/bench-venv if this Python has none. Close other programs first: they spoil the times.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def ensure_torch():
    try:
        import torch  # noqa: F401
    except ImportError:
        python = ROOT / "target/bench-venv/bin/python"
        if pathlib.Path(sys.prefix) == python.parent.parent:
            raise
        subprocess.run([ROOT / "scripts/bench-venv.sh"], check=True)
        os.execv(python, [python, *sys.argv])


def build():
    """The benchmark's binary, built by cargo."""
    command = ["cargo", "bench", "--locked", "--workspace", "--bench", "ops", "--no-run"]
    command += ["--message-format", "json"]
    out = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in out.splitlines()]
    return next(m["executable"] for m in reversed(messages) if m.get("executable"))


class Ours:
    """The benchmark as a server: see kernels/benches/ops/main.rs."""

    def __init__(self, binary, device, pattern, threads):
        environment = dict(os.environ, RAYON_NUM_THREADS=str(threads))
        command = [binary, "--serve", "--device", device, *([pattern] if pattern else [])]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        reply = self.process.stdout.readline()
        if not reply:
            sys.exit(f"the benchmark ended at: {line}")
        return json.loads(reply)


def machine(torch, device):
    if device == "cuda":
        driver = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], stdout=subprocess.PIPE, text=True
        ).stdout.strip()
        return {"gpu": torch.cuda.get_device_name(), "driver": driver, "cuda": torch.version.cuda}
    try:
        cpu = next(
            line.split(":")[1].strip()
            for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        )
    except (OSError, StopIteration):
        cpu = platform.processor() or platform.machine()
    return {"cpu": cpu, "cores": os.cpu_count()}


def commit():
    run = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return os.environ.get("RECOUP_COMMIT") or run.stdout.decode().strip() or None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or wgpu (wgpu: PyTorch on the CPU beside it)")
    parser.add_argument("--binary", help="the benchmark, built elsewhere")
    parser.add_argument("--filter", default="", help="part of an operation's name and size")
    parser.add_argument("--seconds", type=float, default=0.3, help="of each side in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="of each side, on the CPU")
    parser.add_argument("--out", type=pathlib.Path, help="result file; '-' writes none")
    arguments = parser.parse_args()
    ensure_torch()
    import torch

    sys.path.insert(0, str(ROOT / "kernels/benches/torch"))
    import peers

    binary = arguments.binary or build()
    torch.set_num_threads(arguments.threads)
    ours = Ours(binary, arguments.device, arguments.filter, arguments.threads)
    device = "cuda" if arguments.device == "cuda" else "cpu"
    bandwidth = peers.copy_bandwidth(device, arguments.seconds)
    where = machine(torch, device)
    print(f"{where}, PyTorch {torch.__version__}, copy {bandwidth / 1e9:.1f} GB/s, commit {commit()}")
    if device == "cpu" and os.getloadavg()[0] > 0.5:
        print(f"warning: the load is {os.getloadavg()[0]:.1f}: other programs spoil the times")
    print(f"{'op':<12} {'size':<52} {'ours ms':>9} {'of copy':>8}  peers: ms (ratio)")
    rows = []
    for index, case in enumerate(ours.ask("list")):
        calls = peers.build(case["op"], case["peer"], device)
        times = {"ours": [], **{name: [] for name in calls}, **({"burn": []} if case["burn"] else {})}
        for _ in range(arguments.rounds):
            for side, values in times.items():
                if side in calls:
                    values += peers.time_calls(calls[side], device, arguments.seconds)
                else:
                    values += ours.ask(f"{index} {side} {arguments.seconds}")
        medians = {side: statistics.median(values) for side, values in times.items()}
        moved = peers.bytes_moved(case["op"], case["peer"])
        share = moved / (medians["ours"] * 1e-3) / bandwidth if moved else None
        ratios = {side: medians[side] / medians["ours"] for side in times if side != "ours"}
        rows.append({**case, "milliseconds": times, "medians": medians, "ratios": ratios, "of_copy_bandwidth": share})
        shown = "  ".join(f"{side} {medians[side]:.3f} ({ratio:.2f}x)" for side, ratio in ratios.items())
        of_copy = f"{share:8.0%}" if share else " " * 8
        print(f"{case['op']:<12} {case['name']:<52} {medians['ours']:>9.3f} {of_copy}  {shown}", flush=True)
    result = {
        "date": datetime.date.today().isoformat(),
        "machine": where,
        "device": arguments.device,
        "torch": torch.__version__,
        "threads": arguments.threads,
        "commit": commit(),
        "copy_bytes_per_second": bandwidth,
        "rows": rows,
    }
    name = "-".join(next(iter(where.values())).lower().replace("(r)", "").split()[:3])
    out = arguments.out or ROOT / f"kernels/benches/results/{result['date']}-{name}.json"
    if str(out) != "-":
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=1) + "\n")
        print(f"written: {out}")


if __name__ == "__main__":
    main()
