"""The same training in PyTorch: fold after fold, on the windows, orders and first weights that Recoup exported.

    train.py FOLDER losses [--steps 20]     losses of the first steps without dropout
    train.py FOLDER train [--repeats 1]     seconds to train all folds
    train.py FOLDER stages [--repeats 20]   milliseconds of a training step and of its parts
    train.py FOLDER profile                 the operators of a training step, by torch.profiler

The result is one line of JSON on the standard output.
"""

import argparse
import copy
import itertools
import json
import pathlib
import time

import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from model import Network


class Fold:
    """One replica's data and settings."""

    def __init__(self, description, tensors, replica):
        self.description, self.hyper = description, replica["hyper"]
        self.training, self.factors = description["training"], replica["schedule_factors"]
        own = lambda what: tensors[f"{replica['name']}.{what}"]
        names = [stream["name"] for stream in description["model"]["stream"]]
        # Every window once, scaled: PyTorch's side does not pay for gathering rows and scaling them in each step.
        self.streams = [
            (own(f"{name}.rows"), tensors[f"{name}.lengths"].long(), own(f"{name}.present")) for name in names
        ]
        self.classes = tensors["classes"].long()
        self.orders, self.valid, self.weights = own("orders").long(), own("valid").long(), own("weights")
        self.class_weights = torch.tensor(self.hyper["class_weights"])

    def network(self, has_dropout=True):
        model, inputs, num_classes = (self.description[key] for key in ("model", "inputs", "num_classes"))
        if not has_dropout:
            model = model | {"modality_dropout": 0.0}
        network = Network(model, inputs, num_classes, self.hyper["dropout"] if has_dropout else 0.0)
        network.load(self.weights)
        return network

    def optimizer(self, network):
        config = self.training["optimizer"]
        if config["kind"] != "adamw" or self.training["accumulate_steps"] != 1 or self.training.get("mixup"):
            raise NotImplementedError("expected AdamW without accumulation and without mixup")
        return torch.optim.AdamW(
            [parameter for parameter in network.parameters() if parameter.requires_grad],
            lr=self.hyper["learning_rate"],
            betas=(config["beta1"], config["beta2"]),
            eps=config["epsilon"],
            weight_decay=self.hyper["weight_decay"],
            fused=True,
        )

    def inputs(self, windows):
        return [tuple(values[windows] for values in stream) for stream in self.streams]

    def loss(self, logits, windows):
        """Smoothed cross-entropy; a window weighs what its true class weighs."""
        classes = self.classes[windows]
        weights = self.class_weights[classes]
        each = F.cross_entropy(logits, classes, label_smoothing=self.hyper["label_smoothing"], reduction="none")
        return (weights * each).sum() / weights.sum()

    def step(self, network, optimizer, windows):
        loss = self.loss(network(self.inputs(windows)), windows)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        update(self.training, network, optimizer)
        return loss.detach()

    def train(self, has_dropout=True, num_steps=None):
        """Trains to the end, or for some steps; gives the losses and the best validation loss."""
        network = self.network(has_dropout)
        optimizer = self.optimizer(network)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: self.factors[min(step, len(self.factors) - 1)]
        )
        losses, best, best_weights = [], float("inf"), None
        for order in self.orders:
            network.train()
            for windows in order.split(self.training["batch_size"]):
                losses.append(self.step(network, optimizer, windows))
                schedule.step()
                if len(losses) == num_steps:
                    return torch.stack(losses).tolist()
            network.eval()
            with torch.inference_mode():
                logits = [network(self.inputs(windows)) for windows in self.valid.split(self.training["batch_size"])]
                score = F.cross_entropy(torch.cat(logits), self.classes[self.valid]).item()
            if score < best:
                best, best_weights = score, copy.deepcopy(network.state_dict())
        return torch.stack(losses).tolist()


def update(training, network, optimizer):
    if training.get("gradient_clip_norm"):
        torch.nn.utils.clip_grad_norm_(network.parameters(), training["gradient_clip_norm"])
    optimizer.step()


def stages(fold, repeats):
    """Milliseconds of a step and of its parts alone, taking turns."""
    network = fold.network()
    optimizer = fold.optimizer(network)
    windows = fold.orders[0][: fold.training["batch_size"]]
    inputs = fold.inputs(windows)
    model, shapes = fold.description["model"], fold.description["inputs"]
    parts = {"step": lambda: fold.step(network, optimizer, windows), "inputs": lambda: fold.inputs(windows)}
    for at, stream in enumerate(model["stream"]):
        alone = model | {"stream": [stream], "fusion": {"kind": "concat"}, "head": {"hidden_sizes": []}}
        alone = Network(alone, shapes[at : at + 1], fold.description["num_classes"], fold.hyper["dropout"])

        def run(alone=alone, given=inputs[at : at + 1]):
            alone.zero_grad(set_to_none=True)
            F.log_softmax(alone(given), 1).sum().backward()

        parts[f"stream {stream['name']}"] = run
    # Gradients are there from the step before.
    parts["optimizer"] = lambda: update(fold.training, network, optimizer)
    millis = {name: [] for name in parts}
    for repeat, (name, run) in itertools.product(range(repeats + 1), parts.items()):
        start = time.perf_counter()
        run()
        if repeat > 0:  # the first turn warms up
            millis[name].append((time.perf_counter() - start) * 1e3)
    return millis


def profile(fold, steps=20):
    """Own CPU milliseconds per step and calls of each operator, the backward ones too."""
    network = fold.network()
    optimizer = fold.optimizer(network)
    windows = fold.orders[0][: fold.training["batch_size"]]
    fold.step(network, optimizer, windows)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as record:
        for _ in range(steps):
            fold.step(network, optimizer, windows)
    events = sorted(record.key_averages(), key=lambda event: -event.self_cpu_time_total)
    return [
        {"op": event.key, "millis": event.self_cpu_time_total / steps / 1e3, "calls": event.count / steps}
        for event in events[:25]
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("what", choices=["losses", "train", "stages", "profile"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    description = json.loads((arguments.folder / "work.json").read_text())
    tensors = load_file(arguments.folder / "work.safetensors")
    folds = {replica["name"]: Fold(description, tensors, replica) for replica in description["replicas"]}
    first = next(iter(folds.values()))
    if arguments.what == "losses":
        result = {name: fold.train(has_dropout=False, num_steps=arguments.steps) for name, fold in folds.items()}
    elif arguments.what == "train":
        start = time.perf_counter()
        steps = sum(len(fold.train()) for fold in folds.values())
        result = {
            "secs": time.perf_counter() - start,
            "folds": len(folds),
            "steps": steps,
            "pytorch": torch.__version__,
        }
    elif arguments.what == "stages":
        result = stages(first, arguments.repeats)
    else:
        result = profile(first)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
