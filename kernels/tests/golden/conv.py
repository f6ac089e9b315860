"""Values and gradients of PyTorch's conv1d and conv2d, with activation.

Writes conv.json beside this script. Run with PyTorch 2.15.0 (CPU). Everything is f64; the values are printed with 9
digits, which f32 does not resolve. Arrays are flat, in row-major order, without the replica axis.
"""

import json
import pathlib

import torch
from torch.nn import functional as F

SEED = 20261123
torch.manual_seed(SEED)
torch.set_default_dtype(torch.float64)

ACTIVATIONS = {"none": lambda y: y, "relu": F.relu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh}


def flat(x):
    return [float(f"{v:.9g}") for v in x.detach().contiguous().reshape(-1).tolist()]


def leaf(*shape):
    return torch.randn(*shape).mul(64).round().div(64).requires_grad_()


def array(x):
    return {"shape": list(x.shape), "values": flat(x)}


def case(name, x, w, padding, stride=1, dilation=1, groups=1, activation="none"):
    """padding: PyTorch's "same" or "valid" (asked of PyTorch itself), "causal", or zeros on both sides."""
    x, w, b = leaf(*x), leaf(*w), leaf(w[0])
    one = x.dim() == 3
    op = F.conv1d if one else F.conv2d
    options = dict(stride=stride, dilation=dilation, groups=groups)
    if padding == "causal":
        before = dilation * (w.shape[-1] - 1)
        z = op(F.pad(x, (before, 0)), w, b, **options)
    else:
        z = op(x, w, b, padding=padding, **options)
    y = ACTIVATIONS[activation](z)
    seed = torch.randn(y.shape).mul(64).round().div(64)
    torch.randn(2, w.shape[0])  # drawn and left: the values of all later cases follow from the order of draws
    gradients = torch.autograd.grad((y * seed).sum(), (x, w, b))
    return {
        "name": name,
        "one": one,
        "padding": padding if isinstance(padding, str) else str(padding),
        "stride": stride,
        "dilation": dilation,
        "groups": groups,
        "activation": activation,
        "inputs": [array(x), array(w), array(b)],
        "output": array(y),
        "seed": flat(seed),
        "gradients": [flat(g) for g in gradients],
    }


cases = [
    case("same", (2, 3, 11), (4, 3, 5), "same"),
    case("same, even taps, dilation", (2, 2, 13), (3, 2, 4), "same", dilation=3),
    case("valid, groups", (2, 4, 9), (6, 2, 3), "valid", groups=2),
    case("causal, dilation", (2, 2, 17), (3, 2, 3), "causal", dilation=4),
    case("zeros, stride, dilation", (2, 3, 17), (4, 3, 3), 2, stride=3, dilation=2),
    case("depthwise", (2, 5, 23), (5, 1, 7), "same", groups=5),
    case("depthwise, two filters each, stride", (2, 3, 13), (6, 1, 4), 1, stride=2, groups=3),
    case("many filters", (1, 9, 19), (35, 9, 3), "same"),
    case("same", (2, 3, 6, 7), (4, 3, 3, 3), "same"),
    case("zeros, stride, groups", (2, 4, 7, 9), (4, 2, 3, 2), 1, stride=2, groups=2),
    case("dilation", (1, 2, 9, 8), (3, 2, 3, 2), "valid", dilation=2),
    case("relu", (2, 2, 11), (3, 2, 3), "same", activation="relu"),
    case("gelu", (2, 2, 11), (3, 2, 3), "same", activation="gelu"),
    case("silu", (2, 2, 11), (3, 2, 3), "same", activation="silu"),
    case("tanh", (2, 2, 5, 4), (3, 2, 3, 3), "same", activation="tanh"),
]
record = {"torch": torch.__version__, "seed": SEED, "cases": cases}
path = pathlib.Path(__file__).with_name("conv.json")
path.write_text(json.dumps(record, separators=(",", ":")) + "\n")
