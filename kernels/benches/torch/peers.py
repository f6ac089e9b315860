"""The operations of kernels/benches/ops in PyTorch: one builder per operation, each giving named calls to be timed."""

import time

import torch
from torch.nn import functional as F


def synchronise(device):
    if device == "cuda":
        torch.cuda.synchronize()


def time_calls(call, device, seconds):
    """Milliseconds of each call within about `seconds`, at least three, after warming up."""
    times = []
    for limit, keep in ((seconds / 4, False), (seconds, True)):
        start = time.perf_counter()
        count = 0
        while count < 3 * keep or time.perf_counter() - start < limit:
            before = time.perf_counter()
            call()
            synchronise(device)
            if keep:
                times.append((time.perf_counter() - before) * 1e3)
            count += 1
    return times


def copy_bandwidth(device, seconds):
    """Bytes per second of a copy (read and written) far larger than any cache."""
    x = torch.ones((1 << 30 if device == "cuda" else 1 << 27) // 4, device=device)
    y = torch.empty_like(x)
    times = sorted(time_calls(lambda: y.copy_(x), device, seconds))
    return 2 * 4 * x.numel() / (times[len(times) // 2] * 1e-3)


def forward_or_both(call, leaves, backward):
    """The call alone without a tape, or with the gradients of all leaves."""
    if not backward:
        leaves = [leaf.requires_grad_(False) for leaf in leaves]

        def forward():
            with torch.inference_mode():
                call(*leaves)

        return forward
    leaves = [leaf.requires_grad_() for leaf in leaves]
    with torch.no_grad():
        seed = torch.ones_like(call(*leaves))
    return lambda: torch.autograd.grad(call(*leaves), leaves, seed)


def matmul(p, device):
    x = torch.randn(p["replicas"], p["rows"], p["inner"], device=device)
    w = torch.randn(p["replicas"], p["inner"], p["cols"], device=device)
    return {"torch": forward_or_both(torch.bmm, [x, w], False)}


BUILDERS = {"matmul": matmul}


def build(op, parameters, device):
    """Named calls of the same operation, none where PyTorch has no such thing."""
    # f32 means f32: by default PyTorch lets cuDNN's convolutions and recurrences round to TF32.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    return BUILDERS[op](parameters, device) if op in BUILDERS else {}


def bytes_moved(op, p):
    """The bytes that an operation must read and write once, where memory is what should bound it."""
    return None
