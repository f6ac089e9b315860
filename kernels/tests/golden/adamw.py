"""Weights, moments and norms of torch.optim.AdamW after clip_grad_norm_, over several steps.

Writes adamw.json beside this script. Everything is f64, printed with all digits.
"""

import json
import pathlib

import torch

SEED = 20260102
torch.manual_seed(SEED)
torch.set_default_dtype(torch.float64)


def rounded(*shape):
    """Numbers that f32 holds too."""
    return torch.randn(*shape).mul(64).round().div(64)


def case(name, params, steps, rates, weight_decay, betas, epsilon, max_norm):
    weights = torch.nn.Parameter(rounded(params))
    start = weights.detach().tolist()
    optimizer = torch.optim.AdamW([weights], lr=rates[0], betas=betas, eps=epsilon, weight_decay=weight_decay)
    made = []
    for step in range(steps):
        gradient = rounded(params) * 2.0 ** (step % 3)
        weights.grad = gradient.clone()
        norm = torch.nn.utils.clip_grad_norm_([weights], float("inf") if max_norm is None else max_norm)
        optimizer.param_groups[0]["lr"] = rates[step % len(rates)]
        optimizer.step()
        state = optimizer.state[weights]
        made.append(
            {
                "gradient": gradient.tolist(),
                "norm": norm.item(),
                "weights": weights.detach().tolist(),
                "first": state["exp_avg"].tolist(),
                "second": state["exp_avg_sq"].tolist(),
            }
        )
    return {
        "name": name,
        "learning_rates": [rates[step % len(rates)] for step in range(steps)],
        "weight_decay": weight_decay,
        "betas": betas,
        "epsilon": epsilon,
        "max_norm": max_norm,
        "start": start,
        "steps": made,
    }


cases = [
    case("defaults", 7, 5, [1e-3], 0.01, [0.9, 0.999], 1e-8, None),
    case("clipped, rate that changes", 16, 6, [0.02, 0.01, 0.005], 0.1, [0.8, 0.95], 1e-6, 2.0),
    case("never clipped, no decay", 1, 4, [0.1], 0.0, [0.9, 0.99], 1e-8, 1e3),
]
record = {"torch": torch.__version__, "seed": SEED, "cases": cases}
path = pathlib.Path(__file__).with_name("adamw.json")
path.write_text(json.dumps(record, separators=(",", ":")) + "\n")
