"""Values and gradients of PyTorch's nn.LSTM on packed, ragged batches, in both directions.

Writes lstm.json beside this script. Run with PyTorch 2.15.0 (CPU).
Everything is f64; the values are printed with 9 digits, which f32 does not resolve.
Arrays are flat, in row-major order, in the shapes that the crate uses without the replica axis.
"""

import json
import pathlib

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

SEED = 20260102
torch.manual_seed(SEED)
torch.set_default_dtype(torch.float64)


def flat(x):
    return [float(f"{v:.9g}") for v in x.detach().contiguous().reshape(-1).tolist()]


def noise(*shape, scale=1.0):
    return torch.randn(*shape).mul(64 * scale).round().div(64)


def case(lengths, steps, inputs, units):
    """Both directions of one bidirectional layer; its two biases are given as one, half each."""
    net = torch.nn.LSTM(inputs, units, batch_first=True, bidirectional=True)
    directions = []
    for suffix in ["", "_reverse"]:
        w = noise(inputs, 4 * units, scale=0.5)
        u = noise(units, 4 * units, scale=units**-0.5)
        b = noise(4 * units, scale=0.5)
        with torch.no_grad():
            getattr(net, f"weight_ih_l0{suffix}").copy_(w.t())
            getattr(net, f"weight_hh_l0{suffix}").copy_(u.t())
            getattr(net, f"bias_ih_l0{suffix}").copy_(b / 2)
            getattr(net, f"bias_hh_l0{suffix}").copy_(b / 2)
        directions.append((suffix, w, u, b))
    x = noise(len(lengths), steps, inputs).requires_grad_()
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    y, (h, c) = net(packed)
    y, _ = pad_packed_sequence(y, batch_first=True, total_length=steps)
    records = []
    for side, (suffix, w, u, b) in enumerate(directions):
        outputs = [y[..., side * units : (side + 1) * units], h[side], c[side]]
        seeds = [noise(*output.shape) for output in outputs]
        loss = sum((output * seed).sum() for output, seed in zip(outputs, seeds))
        names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0"]
        leaves = [x] + [getattr(net, name + suffix) for name in names]
        dx, dw, du, db = torch.autograd.grad(loss, leaves, retain_graph=True)
        records.append(
            {
                "reverse": suffix != "",
                "x": flat(x),
                "w": flat(w),
                "u": flat(u),
                "b": flat(b),
                "outputs": [flat(output) for output in outputs],
                "seeds": [flat(seed) for seed in seeds],
                "gradients": [flat(dx), flat(dw.t()), flat(du.t()), flat(db)],
            }
        )
    return {
        "lengths": lengths,
        "steps": steps,
        "inputs": inputs,
        "units": units,
        "directions": records,
    }


cases = [
    case([1], 1, 1, 1),
    case([6, 6, 6], 6, 3, 8),
    case([5, 1, 7, 2, 7], 7, 2, 5),
    case([9, 3, 4], 9, 4, 17),
]
record = {"torch": torch.__version__, "seed": SEED, "cases": cases}
path = pathlib.Path(__file__).with_name("lstm.json")
path.write_text(json.dumps(record, separators=(",", ":")) + "\n")
