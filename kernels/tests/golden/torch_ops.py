"""Values and gradients of PyTorch for the operations of this crate.

Writes torch_ops.json beside this script. Run with PyTorch 1.13.1 (CPU), numpy 1.24.
Everything is f64; the values are printed with 9 digits, which f32 does not resolve.
Arrays are flat, in row-major order, in the shapes that the crate uses without the replica axis.
"""

import json
import pathlib

import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

SEED = 20260101
torch.manual_seed(SEED)
torch.set_default_dtype(torch.float64)


def flat(x):
    return [float(f"{v:.9g}") for v in x.detach().contiguous().reshape(-1).tolist()]


def leaf(*shape):
    return torch.randn(*shape).mul(64).round().div(64).requires_grad_()


def case(kind, name, parameters, inputs, outputs):
    """A case whose loss is the sum of outputs times given gradients."""
    seeds = [torch.randn(y.shape).mul(64).round().div(64) for y in outputs]
    loss = sum((y * s).sum() for y, s in zip(outputs, seeds))
    gradients = torch.autograd.grad(loss, [x for _, x in inputs])
    return {
        "kind": kind,
        "name": name,
        "parameters": parameters,
        "inputs": [{"shape": list(x.shape), "values": flat(x)} for _, x in inputs],
        "outputs": [
            {"shape": list(y.shape), "values": flat(y), "seed": flat(s)}
            for y, s in zip(outputs, seeds)
        ],
        "gradients": [flat(g) for g in gradients],
    }


def conv(name, x, w, stride, padding, dilation, groups):
    """padding: [(before, after)] per axis."""
    x, w, b = leaf(*x), leaf(*w), leaf(w[0])
    flipped = [side for axis in reversed(padding) for side in axis]
    op = F.conv1d if x.dim() == 3 else F.conv2d
    y = op(F.pad(x, flipped), w, b, stride=stride, dilation=dilation, groups=groups)
    parameters = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    kind = "conv1d" if x.dim() == 3 else "conv2d"
    return case(kind, name, parameters, [("x", x), ("w", w), ("b", b)], [y])


def reverse_padded(x, lengths):
    rows = [torch.cat([x[i, :n].flip(0), x[i, n:]]) for i, n in enumerate(lengths)]
    return torch.stack(rows)


def lstm(name, lengths, steps, inputs, units, reverse):
    """One direction of nn.LSTM on a packed batch; the second direction of a bidirectional one is
    compared with the first on reversed input, so that both ways of asking agree."""
    x = leaf(len(lengths), steps, inputs)
    w = leaf(inputs, 4 * units)
    u = leaf(units, 4 * units)
    b = leaf(4 * units)
    net = torch.nn.LSTM(inputs, units, batch_first=True, bidirectional=True)
    # What its forward pass reads: W_ih, W_hh and two biases for each direction.
    net._flat_weights = 2 * [w.t(), u.t(), b, torch.zeros(4 * units)]
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    y, (h, c) = net(packed)
    y, _ = pad_packed_sequence(y, batch_first=True, total_length=steps)
    side = slice(units, None) if reverse else slice(0, units)
    outputs = [y[..., side], h[int(reverse)], c[int(reverse)]]
    if reverse:
        twin = pack_padded_sequence(
            reverse_padded(x, lengths), lengths, batch_first=True, enforce_sorted=False
        )
        z, _ = net(twin)
        z, _ = pad_packed_sequence(z, batch_first=True, total_length=steps)
        assert torch.allclose(reverse_padded(z[..., :units], lengths), outputs[0])
    return case(
        "lstm",
        name,
        {"lengths": lengths, "reverse": reverse},
        [("x", x), ("w", w), ("u", u), ("b", b)],
        outputs,
    )


def group_norm(name, shape, groups, eps):
    x, gamma, beta = leaf(*shape), leaf(shape[1]), leaf(shape[1])
    y = F.group_norm(x, groups, gamma, beta, eps)
    return case(
        "group_norm",
        name,
        {"groups": groups, "eps": eps},
        [("x", x), ("gamma", gamma), ("beta", beta)],
        [y],
    )


def stft(name, shape, n_fft, hop, window, center, padding):
    x = leaf(*shape)
    weights = {
        "hann": torch.hann_window(n_fft),
        "hamming": torch.hamming_window(n_fft),
        "rect": torch.ones(n_fft),
    }[window]
    pad_mode = {"reflect": "reflect", "zero": "constant"}[padding]
    y = torch.stft(
        x.reshape(-1, shape[-1]),
        n_fft,
        hop,
        window=weights,
        center=center,
        pad_mode=pad_mode,
        return_complex=True,
    )
    y = torch.view_as_real(y).reshape(*shape[:-1], y.shape[-2], y.shape[-1], 2)
    parameters = {
        "n_fft": n_fft,
        "hop": hop,
        "window": window,
        "center": center,
        "padding": padding,
    }
    return case("stft", name, parameters, [("x", x)], [y])


cases = [
    conv("plain", (2, 3, 11), (4, 3, 3), [1], [(0, 0)], [1], 1),
    conv("stride, dilation, uneven padding", (2, 3, 17), (4, 3, 3), [2], [(4, 1)], [3], 1),
    conv("groups", (2, 4, 9), (6, 2, 3), [1], [(1, 1)], [1], 2),
    conv("depthwise", (2, 3, 13), (6, 1, 4), [2], [(2, 1)], [1], 3),
    conv("plain", (2, 2, 5, 6), (3, 2, 3, 2), [1, 1], [(0, 0), (0, 0)], [1, 1], 1),
    conv("all options", (2, 4, 7, 9), (4, 2, 3, 2), [2, 3], [(1, 2), (0, 3)], [2, 1], 2),
    conv("depthwise", (2, 3, 5, 5), (3, 1, 3, 3), [1, 1], [(1, 1), (1, 1)], [1, 1], 3),
    lstm("forward", [5, 5, 5], 5, 3, 4, False),
    lstm("reverse", [5, 5, 5], 5, 3, 4, True),
    lstm("ragged forward", [5, 1, 3, 4], 5, 2, 3, False),
    lstm("ragged reverse", [5, 1, 3, 4], 5, 2, 3, True),
    group_norm("groups of two", (2, 4, 5), 2, 2.0**-17),
    group_norm("one group", (2, 3, 7), 1, 2.0**-10),
    group_norm("instances", (2, 3, 7), 3, 2.0**-17),
    stft("centred, reflected", (2, 2, 20), 8, 2, "hann", True, "reflect"),
    stft("centred, zeros, odd length", (1, 2, 21), 9, 4, "hamming", True, "zero"),
    stft("not centred, prime", (2, 1, 25), 7, 3, "rect", False, "reflect"),
]
record = {"torch": torch.__version__, "seed": SEED, "cases": cases}
path = pathlib.Path(__file__).with_name("torch_ops.json")
path.write_text(json.dumps(record, separators=(",", ":")) + "\n")
