"""Runs the benchmark of both sides in turns, prints tables and writes `benches/results/<date>-<cpu>.json`.

Started by scripts/bench-training.sh with the Python that has PyTorch. Nothing but the agreement of the losses can fail:
times are reported, never judged.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
THREADS = 2
# Between f32 on both sides; the losses themselves are around 1.
LOSS_TOLERANCE = 1e-3


def output(*command, quiet=False, **environment):
    """What a command prints; `quiet` shows its errors only if it fails."""
    errors = subprocess.PIPE if quiet else None
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, stderr=errors, text=True
    )
    if done.returncode:
        sys.exit(f"{done.stderr or ''}failed: {' '.join(map(str, command))}")
    return done.stdout


def built_benchmark():
    messages = output(
        "cargo", "bench", "--locked", "--bench", "training", "--no-run", "--message-format=json-render-diagnostics"
    )
    artifacts = [json.loads(line) for line in messages.splitlines() if '"executable":"' in line]
    return next(artifact["executable"] for artifact in artifacts if artifact["target"]["name"] == "training")


class Sides:
    """The two programs that are compared."""

    def __init__(self, experiment, folder):
        self.recoup_command = [built_benchmark(), "--experiment", experiment]
        self.torch_command = [sys.executable, HERE / "train.py", folder]

    def recoup(self, *arguments):
        return json.loads(output(*self.recoup_command, *map(str, arguments), RAYON_NUM_THREADS=str(THREADS)))

    def torch(self, *arguments, threads=THREADS):
        # Its profiler speaks of GPUs that are not there.
        return json.loads(output(*self.torch_command, *map(str, arguments), "--threads", str(threads), quiet=True))


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "values": values}


def shown(spread, digits=2):
    return f"{spread['median']:.{digits}f} ({spread['min']:.{digits}f} - {spread['max']:.{digits}f})"


def table(title, header, rows):
    rows = [list(map(str, row)) for row in [header, *rows]]
    first, *widths = (max(map(len, column)) for column in zip(*rows))
    print(f"\n{title}")
    for name, *cells in rows:
        print("  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, widths))]), flush=True)


def check_losses(sides, seeds_and_epochs):
    """The first steps of every fold without dropout: the same numbers on both sides, or the times mean nothing."""
    ours, theirs = sides.recoup("losses", *seeds_and_epochs), sides.torch("losses")
    # One side may report fewer steps than the other when an epoch ends.
    pairs = [(a, b) for name in ours for a, b in zip(ours[name], theirs[name])]
    worst = max(abs(a - b) for a, b in pairs)
    print(f"losses of {len(pairs)} steps without dropout differ by at most {worst:.1e}")
    if not worst <= LOSS_TOLERANCE:
        sys.exit(
            f"the two sides do not train the same: a loss differs by {worst:.3g}, expected at most {LOSS_TOLERANCE}"
        )
    return {"steps": len(pairs), "largest_difference": worst}


def compare_folds(sides, seeds_and_epochs, repeats):
    """All folds: PyTorch one after the other, Recoup one by one and together; they take turns."""
    names = {
        "torch": "PyTorch, fold after fold",
        "torch_one_thread": "PyTorch, one thread",
        "one_by_one": "Recoup, folds one by one",
        "together": "Recoup, folds together",
    }
    secs = {key: [] for key in names}
    for _ in range(repeats):
        reference = sides.torch("train")
        secs["torch"].append(reference["secs"])
        ours = sides.recoup("train", "--groups", "1000,1", *seeds_and_epochs)
        if reference["steps"] != ours["steps"]:
            sys.exit(f"PyTorch made {reference['steps']} steps and Recoup {ours['steps']}")
        secs["together"].append(ours["timings"][0]["secs"])
        secs["one_by_one"].append(ours["timings"][1]["secs"])
        secs["torch_one_thread"].append(sides.torch("train", threads=1)["secs"])
    result = {"folds": ours["replicas"], "steps": ours["steps"], "pytorch": reference["pytorch"]}
    result["secs"] = {key: spread(values) for key, values in secs.items()}
    base = result["secs"]["torch"]["median"]
    rows = [
        (name, shown(of_side), f"{of_side['median'] / ours['steps'] * 1e3:.2f}", f"{base / of_side['median']:.2f}")
        for (key, name), of_side in zip(names.items(), result["secs"].values())
    ]
    title = f"{ours['replicas']} folds, {ours['steps']} steps in all: seconds, median (range) of {repeats}"
    table(title, ("", "seconds", "ms per step", "times PyTorch's speed"), rows)
    return result


def compare_groups(sides, seeds, epochs, repeats):
    """Many replicas in groups of different sizes."""
    secs = {}
    for repeat in range(repeats):
        # Every second time in the opposite order, so that a drift of the machine cancels.
        order = [1, 2, 5, 10, 20, 40][:: -1 if repeat % 2 else 1]
        done = sides.recoup("train", "--groups", ",".join(map(str, order)), "--seeds", seeds, "--epochs", epochs)
        for timing in done["timings"]:
            secs.setdefault(timing["group_size"], []).append(timing["secs"])
    sizes = sorted(secs)
    result = {
        "replicas": done["replicas"],
        "steps": done["steps"],
        "secs": {size: spread(secs[size]) for size in sizes},
    }
    base = result["secs"][1]["median"]
    rows = [
        (size, shown(of_size), f"{of_size['median'] / done['steps'] * 1e3:.2f}", f"{base / of_size['median']:.2f}")
        for size, of_size in result["secs"].items()
    ]
    title = f"{done['replicas']} replicas, {done['steps']} steps in all: seconds, median (range) of {repeats}"
    table(title, ("group size", "seconds", "ms per replica and step", "times one by one"), rows)
    return result


def compare_stages(sides, folds, seeds_and_epochs):
    """Where a step spends its time."""
    alone = sides.recoup("stages", "--replicas", 1, *seeds_and_epochs)
    torch = sides.torch("stages")
    together = sides.recoup("stages", "--replicas", folds, *seeds_and_epochs)
    sides_of = {"recoup_alone": alone, "recoup_together": together, "torch": torch}
    median = {
        side: {part: statistics.median(values) for part, values in parts.items()} for side, parts in sides_of.items()
    }
    for parts in median.values():
        parts["fusion, head, loss, rest"] = 2 * parts["step"] - sum(parts.values())
    per_replica = {part: value / folds for part, value in median["recoup_together"].items()}
    torch, alone = median["torch"], median["recoup_alone"]
    share = lambda parts, part: f"{100 * parts[part] / parts['step']:.0f} %"
    rows = [
        (
            part,
            f"{alone[part]:.2f}",
            share(alone, part),
            f"{per_replica[part]:.2f}",
            share(per_replica, part),
            f"{torch[part]:.2f}",
            share(torch, part),
            f"{torch[part] / per_replica[part]:.2f}" if min(torch[part], per_replica[part]) > 0 else "-",
        )
        for part in sorted(torch, key=lambda part: (part == "step", part))
    ]
    header = ("part", "R = 1", "share", f"R = {folds}", "share", "PyTorch", "share", f"PyTorch / (R = {folds})")
    table("milliseconds per replica of a training step and of its parts, each run alone (median)", header, rows)
    return sides_of


def cpu_name():
    info = pathlib.Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else []
    return names[0].strip() if names else platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="experiments/quickstart.toml")
    parser.add_argument("--epochs", type=int, default=15, help="epochs of the comparison with PyTorch")
    parser.add_argument("--group-epochs", type=int, default=3, help="epochs of the comparison of group sizes")
    parser.add_argument("--seeds", type=int, default=8, help="seeds per fold in the comparison of group sizes")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"the load of this machine is {load:.1f}: other programs run, and the times below are worth little")
    with tempfile.TemporaryDirectory() as folder:
        sides = Sides(arguments.experiment, folder)
        seeds_and_epochs = ("--seeds", 1, "--epochs", arguments.epochs)
        sides.recoup("export", folder, *seeds_and_epochs)
        result = {
            "date": datetime.date.today().isoformat(),
            "cpu": cpu_name(),
            "threads": THREADS,
            "load_before": load,
            "commit": output("git", "rev-parse", "HEAD").strip(),
            "rustc": output("rustc", "--version").strip(),
            "experiment": arguments.experiment,
            "epochs": arguments.epochs,
            "losses": check_losses(sides, seeds_and_epochs),
        }
        result["folds"] = compare_folds(sides, seeds_and_epochs, arguments.repeats)
        result["groups"] = compare_groups(sides, arguments.seeds, arguments.group_epochs, arguments.repeats)
        result["stages_millis"] = compare_stages(sides, result["folds"]["folds"], seeds_and_epochs)
        result["torch_profile"] = sides.torch("profile")
        rows = [(row["op"], f"{row['millis']:.3f}", f"{row['calls']:.0f}") for row in result["torch_profile"][:12]]
        table("PyTorch's operators in a step, by its profiler (which slows it down)", ("op", "ms", "calls"), rows)
    name = re.sub(r"[^a-z0-9]+", "-", result["cpu"].lower()).strip("-")
    path = ROOT / "benches" / "results" / f"{result['date']}-{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nwritten to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
