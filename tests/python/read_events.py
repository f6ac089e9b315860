"""Reads a TensorBoard log directory with the real TensorBoard and prints what it shows, as one JSON object.

usage: read_events.py LOGDIR {python|fast}

`accumulator` is what a script sees through EventAccumulator. `server` is what the web page gets: the HTTP API of a
TensorBoard server over the Python loader, or over the Rust data server ("fast").
"""

import json
import math
import os
import struct
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from tensorboard import default, program
from tensorboard.backend.event_processing import event_accumulator

TIMEOUT_SECS = 60


def run_directories(logdir):
    for directory, _, files in sorted(os.walk(logdir)):
        if any("tfevents" in name for name in files):
            yield os.path.relpath(directory, logdir), directory


def read_with_accumulator(directory):
    everything = {"scalars": 0, "tensors": 0, "images": 0}
    accumulator = event_accumulator.EventAccumulator(directory, size_guidance=everything)
    accumulator.Reload()
    tags = accumulator.Tags()
    return {
        "scalars": {tag: [[e.step, finite_or_text(e.value)] for e in accumulator.Scalars(tag)] for tag in tags["scalars"]},
        "tensors": {tag: [e.step for e in accumulator.Tensors(tag)] for tag in tags["tensors"]},
    }


def finite_or_text(value):
    return value if math.isfinite(value) else str(value)


class Server:
    def __init__(self, logdir, loader):
        board = program.TensorBoard(plugins=default.get_plugins())
        load_fast = "true" if loader == "fast" else "false"
        board.configure(
            argv=["tensorboard", "--logdir", logdir, "--port", "0", "--host", "127.0.0.1", "--load_fast", load_fast]
            + ["--samples_per_plugin", "scalars=100000,images=100", "--reload_interval", "1"]
        )
        self.url = board.launch().rstrip("/")

    def get(self, path, body=None, **query):
        url = f"{self.url}/data/plugin/{path}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
        # The container's proxy settings are not for a server on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=TIMEOUT_SECS) as response:
            return response.read()

    def json(self, path, body=None, **query):
        return json.loads(self.get(path, body, **query))

    def per_tag(self, plugin, read):
        tags = self.json(f"{plugin}/tags")
        return {run: {tag: read(run, tag) for tag in tags[run]} for run in sorted(tags) if tags[run]}

    def image(self, run, tag):
        shown = []
        for meta in self.json("images/images", run=run, tag=tag, sample=0):
            blob = self.get("images/individualImage?" + meta["query"])
            width, height = struct.unpack(">II", blob[16:24])
            shown.append(
                {
                    "step": meta["step"],
                    "png_size": [width, height],
                    "png_bytes": list(blob),
                }
            )
        return shown

    def snapshot(self):
        experiment = self.json("hparams/experiment", {"experimentName": ""})
        columns = {"hparams": [{"hparam": info["name"]} for info in experiment.get("hparamInfos", [])]}
        groups = self.json(
            "hparams/session_groups",
            {
                "experimentName": "",
                "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"],
                "colParams": columns["hparams"] + [{"metric": m["name"]} for m in experiment.get("metricInfos", [])],
                "aggregationType": "AGGREGATION_AVG",
                "startIndex": 0,
                "sliceSize": 1000,
            },
        )
        return {
            "scalars": self.per_tag(
                "scalars",
                lambda run, tag: [[step, value] for _, step, value in self.json("scalars/scalars", run=run, tag=tag)],
            ),
            "text": self.per_tag(
                "text",
                lambda run, tag: [[e["step"], e["text"]] for e in self.json("text/text", run=run, tag=tag)],
            ),
            "histograms": self.per_tag(
                "histograms",
                lambda run, tag: [[step, rows] for _, step, rows in self.json("histograms/histograms", run=run, tag=tag)],
            ),
            "images": self.per_tag("images", self.image),
            "pr_curves": self.per_tag(
                "pr_curves", lambda run, tag: self.json("pr_curves/pr_curves", run=run, tag=tag)[run]
            ),
            "custom_scalars": self.json("custom_scalars/layout"),
            "experiment": experiment,
            "session_groups": groups,
        }


def settled_snapshot(server, expected_scalars):
    """The server loads in the background: wait until all scalars are there and nothing changes any more."""
    previous = None
    deadline = time.monotonic() + TIMEOUT_SECS
    while time.monotonic() < deadline:
        try:
            current = server.snapshot()
        except urllib.error.HTTPError:
            # Some plugins answer 404 for a tag that is still being loaded.
            current = None
        if current is not None and current == previous and expected_scalars <= num_series(current["scalars"]):
            return current
        previous = current
        time.sleep(1.0)
    sys.exit(f"TensorBoard did not show {expected_scalars} scalar series within {TIMEOUT_SECS} s: {previous}")


def num_series(runs):
    return sum(len(tags) for tags in runs.values())


def main():
    logdir, loader = sys.argv[1:]
    runs = {name: read_with_accumulator(directory) for name, directory in run_directories(logdir)}
    expected_scalars = sum(len(run["scalars"]) for run in runs.values())
    server = settled_snapshot(Server(logdir, loader), expected_scalars)
    print(json.dumps({"accumulator": runs, "server": server}))


main()
