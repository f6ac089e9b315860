"""Twenty training steps of a CNN and of an LSTM in PyTorch: losses and final weights.

Writes training.json beside this script. Run with PyTorch 1.13 (CPU). Everything is f64, with inputs and first weights
that f32 holds exactly, so the reference has no rounding of its own. Weights are stored by the paths and in the shapes
of the crate: linear weights are [input, output], LSTM weights [input, 4H] with gates i, f, g, o and one bias.
"""

import json
import pathlib

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

SEED = 20260311
STEPS, BATCH, CLASSES, SAMPLES = 20, 6, 3, 24
SMOOTHING, CLIP = 0.1, 0.3  # a norm that some steps reach and others do not
CLASS_WEIGHTS = torch.tensor([0.75, 1.0, 1.5], dtype=torch.float64)
torch.set_default_dtype(torch.float64)


class Same(nn.Module):
    """Zeros around a convolution with this span of taps: the odd one comes after."""

    def __init__(self, span):
        super().__init__()
        self.before, self.after = span // 2, span - span // 2

    def forward(self, x):
        return F.pad(x, (self.before, self.after))


class Cnn(nn.Module):
    """Two blocks of convolution, group normalisation and ReLU, then the mean over positions."""

    name, length, channels, ragged = "cnn", 40, 3, False
    output_size = 8

    def __init__(self):
        super().__init__()
        self.conv0 = nn.Conv1d(3, 4, 5, stride=2)
        self.norm0 = nn.GroupNorm(2, 4)
        self.conv1 = nn.Conv1d(4, 8, 4, stride=2)
        self.norm1 = nn.GroupNorm(2, 8)

    def forward(self, rows, lengths):
        x = rows.transpose(1, 2)
        x = F.relu(self.norm0(self.conv0(Same(4)(x))))
        x = F.relu(self.norm1(self.conv1(Same(3)(x))))
        return x.mean(2)

    def parameters_by_path(self):
        plane = lambda w: w.unsqueeze(2)  # [O, C, K] -> [O, C, 1, K]
        for block, (conv, norm) in enumerate([(self.conv0, self.norm0), (self.conv1, self.norm1)]):
            yield f"block{block}.conv.weight", conv.weight, plane
            yield f"block{block}.conv.bias", conv.bias, None
            yield f"block{block}.norm.weight", norm.weight, None
            yield f"block{block}.norm.bias", norm.bias, None


class Lstm(nn.Module):
    """Both directions over sequences of unequal length; the final state of each."""

    name, length, channels, ragged = "lstm", 9, 3, True
    output_size = 10

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 5, batch_first=True, bidirectional=True)
        for suffix in ("", "_reverse"):  # one bias: the second stays 0
            hidden = getattr(self.lstm, f"bias_hh_l0{suffix}")
            hidden.data.zero_()
            hidden.requires_grad_(False)

    def forward(self, rows, lengths):
        packed = pack_padded_sequence(rows, lengths, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.lstm(packed)
        return torch.cat([last[0], last[1]], 1)

    def parameters_by_path(self):
        transposed = lambda w: w.t()
        for direction, suffix in (("forward", ""), ("backward", "_reverse")):
            yield f"layer0.{direction}.input", getattr(self.lstm, f"weight_ih_l0{suffix}"), transposed
            yield f"layer0.{direction}.hidden", getattr(self.lstm, f"weight_hh_l0{suffix}"), transposed
            yield f"layer0.{direction}.bias", getattr(self.lstm, f"bias_ih_l0{suffix}"), None


class Network(nn.Module):
    """An encoder, its embedding and a head with one hidden layer."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.embed = nn.Linear(encoder.output_size, 6)
        self.head0, self.head1 = nn.Linear(6, 5), nn.Linear(5, CLASSES)

    def forward(self, rows, lengths):
        x = F.relu(self.embed(self.encoder(rows, lengths)))
        return self.head1(F.relu(self.head0(x)))

    def parameters_by_path(self):
        transposed = lambda w: w.t()
        for path, parameter, view in self.encoder.parameters_by_path():
            yield f"signal.{path}", parameter, view
        for path, linear in [
            ("signal.embed", self.embed),
            ("head.linear0", self.head0),
            ("head.linear1", self.head1),
        ]:
            yield f"{path}.weight", linear.weight, transposed
            yield f"{path}.bias", linear.bias, None

    def stored(self):
        return [
            (path, (view(parameter) if view else parameter).detach()) for path, parameter, view in self.parameters_by_path()
        ]


def loss_of(logits, targets):
    """Smoothed cross-entropy; a sample weighs what its true class weighs."""
    soft = SMOOTHING / CLASSES + (1 - SMOOTHING) * F.one_hot(targets, CLASSES)
    each = -(soft * torch.log_softmax(logits, 1)).sum(1)
    weights = CLASS_WEIGHTS[targets]
    return (weights * each).sum() / weights.sum()


def flat(x):
    return [float(f"{v:.9g}") for v in x.contiguous().reshape(-1).tolist()]


def train(encoder_class):
    torch.manual_seed(SEED)
    network = Network(encoder_class())
    with torch.no_grad():
        for parameter in network.parameters():
            # Normalisation starts away from (1, 0), where its scale and shift would hide an exchange of the two.
            if parameter.requires_grad and parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn(parameter.shape))
            parameter.copy_(parameter.mul(1024).round().div(1024))
    length, channels = encoder_class.length, encoder_class.channels
    rows = torch.randn(SAMPLES, length, channels).mul(64).round().div(64)
    targets = torch.arange(SAMPLES) % CLASSES
    rows += 0.5 * targets[:, None, None]  # something to learn
    lengths = torch.full((SAMPLES,), length)
    if encoder_class.ragged:
        lengths = torch.randint(1, length + 1, (SAMPLES,))
        lengths[:2] = torch.tensor([length, 1])
        for sample, count in enumerate(lengths.tolist()):
            rows[sample, count:] = 0
    batches = torch.randperm(SAMPLES).reshape(-1, BATCH)
    initial = [(path, list(value.shape), flat(value)) for path, value in network.stored()]

    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.01)
    losses, norms = [], []
    for step in range(STEPS):
        picks = batches[step % len(batches)]
        optimizer.zero_grad()
        loss = loss_of(network(rows[picks], lengths[picks]), targets[picks])
        loss.backward()
        norms.append(float(nn.utils.clip_grad_norm_(trained, CLIP)))
        optimizer.step()
        losses.append(float(loss))
    final = dict(network.stored())
    return {
        "name": encoder_class.name,
        "rows": [flat(sample[:count]) for sample, count in zip(rows, lengths)],
        "targets": targets.tolist(),
        "batches": batches.tolist(),
        "parameters": [
            {"path": path, "shape": shape, "initial": values, "final": flat(final[path])} for path, shape, values in initial
        ],
        "losses": losses,
        "gradient_norms": norms,
    }


golden = {
    "pytorch": torch.__version__,
    "seed": SEED,
    "class_weights": CLASS_WEIGHTS.tolist(),
    "label_smoothing": SMOOTHING,
    "gradient_clip_norm": CLIP,
    "cases": [train(Cnn), train(Lstm)],
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(golden) + "\n")
for case in golden["cases"]:
    print(case["name"], [f"{x:.4f}" for x in case["losses"]], [f"{x:.2f}" for x in case["gradient_norms"]])
