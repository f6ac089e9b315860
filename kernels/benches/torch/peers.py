"""The operations of kernels/benches/ops in PyTorch: one builder per operation, each giving named calls to be timed."""

import time

import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


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


def stft(p, device):
    x = torch.randn(p["signals"], p["samples"], device=device)
    window = torch.hann_window(p["n_fft"], device=device)

    def spectrum(x):
        return torch.stft(x, p["n_fft"], p["hop"], window=window, return_complex=True)

    def root_squared(x):
        return spectrum(x).abs() ** 2

    def parts_squared(x):
        return torch.view_as_real(spectrum(x)).square().sum(-1)

    backward = p["backward"]
    if p["output"] == "complex":
        return {"torch": forward_or_both(lambda x: torch.view_as_real(spectrum(x)), [x], backward)}
    filters = torch.rand(p["mel"]["filters"], p["n_fft"] // 2 + 1, device=device)
    finish = {
        "power": lambda y: y,
        "log-power": lambda y: y.clamp(min=p["floor"]).log(),
        "log-mel": lambda y: (filters @ y).clamp(min=p["floor"]).log(),
    }[p["output"]]
    return {
        "torch abs()**2": forward_or_both(lambda x: finish(root_squared(x)), [x], backward),
        "torch re2+im2": forward_or_both(lambda x: finish(parts_squared(x)), [x], backward),
    }


def conv(p, device):
    leaves = [torch.randn(p[name], device=device) for name in ("x", "w")] + [torch.randn(p["w"][0], device=device)]
    function = F.conv1d if len(p["x"]) == 3 else F.conv2d
    options = {name: p[name] for name in ("stride", "padding", "dilation", "groups")}
    return {"torch": forward_or_both(lambda x, w, b: function(x, w, b, **options), leaves, p["backward"])}


def recurrent(layer):
    def build_layer(p, device):
        net = layer(p["inputs"], p["units"], batch_first=True).to(device)
        x = torch.randn(p["batch"], p["steps"], p["inputs"], device=device)
        weights = list(net.parameters())
        # As kernels/benches/ops/lstm.rs has them.
        lengths = [max(p["steps"] * (i % 7 + 1) // 7, 1) for i in range(p["batch"])]

        def run(x):
            if not p["ragged"]:
                return net(x)[0]
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return pad_packed_sequence(net(packed)[0], batch_first=True, total_length=p["steps"])[0]

        if not p["backward"]:

            def forward():
                with torch.inference_mode():
                    run(x)

            return {"torch": forward}
        x.requires_grad_()
        seed = torch.ones(p["batch"], p["steps"], p["units"], device=device)
        return {"torch": lambda: torch.autograd.grad(run(x), [x, *weights], seed)}

    return build_layer


def group_norm(p, device):
    replicas, batch, channels, length = p["x"]
    x = torch.randn(replicas * batch, channels, length, device=device)
    leaves = [x, torch.ones(channels, device=device), torch.zeros(channels, device=device)]
    return {"torch": forward_or_both(lambda x, w, b: F.group_norm(x, p["groups"], w, b), leaves, p["backward"])}


def dropout(p, device):
    x = torch.randn(p["x"], device=device)

    def call():
        with torch.no_grad():
            F.dropout(x, p["rate"])

    return {"torch": call}


def adamw(p, device):
    """One optimiser per replica, as they are trained one by one."""
    shape = (p["parameters"],)
    weights = [torch.randn(shape, device=device, requires_grad=True) for _ in range(p["replicas"])]
    optimisers = [torch.optim.AdamW([weight], fused=True) for weight in weights]
    for weight in weights:
        weight.grad = torch.randn(shape, device=device)

    def call():
        for weight, optimiser in zip(weights, optimisers):
            if p["max_norm"] is not None:
                torch.nn.utils.clip_grad_norm_([weight], p["max_norm"])
            optimiser.step()

    return {"torch": call}


class Net(torch.nn.Module):
    """The network of kernels/benches/ops/training.rs."""

    def __init__(self, channels, taps, classes):
        super().__init__()
        self.first = torch.nn.Conv1d(channels[0], channels[1], taps, padding=taps // 2)
        self.second = torch.nn.Conv1d(channels[1], channels[2], taps, stride=2, padding=taps // 2)
        self.head = torch.nn.Linear(channels[2], classes)

    def forward(self, x):
        return self.head(F.relu(self.second(F.relu(self.first(x)))).mean(2))


def training(p, device):
    """One step of all models: one after the other, by torch.func.vmap and, on CUDA, all in one captured graph."""
    nets = [Net(p["channels"], p["taps"], p["classes"]).to(device) for _ in range(p["replicas"])]
    x = torch.randn(p["replicas"], p["batch"], p["channels"][0], p["length"], device=device)
    y = torch.zeros(p["replicas"], p["batch"], dtype=torch.long, device=device)

    def loop_over(optimisers):
        for net, optimiser, inputs, targets in zip(nets, optimisers, x, y):
            optimiser.zero_grad(set_to_none=False)
            F.cross_entropy(net(inputs), targets).backward()
            optimiser.step()

    plain = [torch.optim.AdamW(net.parameters(), fused=True) for net in nets]
    calls = {"torch loop": lambda: loop_over(plain)}

    stacked, _ = torch.func.stack_module_state(nets)
    stacked = {name: value.detach().clone().requires_grad_() for name, value in stacked.items()}
    together = torch.optim.AdamW(stacked.values(), fused=True)
    base = nets[0]

    def loss(parameters, inputs, targets):
        return F.cross_entropy(torch.func.functional_call(base, parameters, (inputs,)), targets)

    gradients_of = torch.func.vmap(torch.func.grad(loss))

    def mapped():
        gradients = gradients_of({name: value.detach() for name, value in stacked.items()}, x, y)
        for name, value in stacked.items():
            value.grad = gradients[name]
        together.step()

    calls["torch vmap"] = mapped
    if device == "cuda":
        capturable = [torch.optim.AdamW(net.parameters(), fused=True, capturable=True) for net in nets]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                loop_over(capturable)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loop_over(capturable)
        calls["torch graph"] = graph.replay
    return calls


BUILDERS = {
    "training": training,
    "matmul": matmul,
    "stft": stft,
    "conv1d": conv,
    "conv2d": conv,
    "lstm": recurrent(torch.nn.LSTM),
    "group_norm": group_norm,
    "dropout": dropout,
    "adamw": adamw,
}


def build(op, parameters, device):
    """Named calls of the same operation, none where PyTorch has no such thing."""
    # f32 means f32: by default PyTorch lets cuDNN's convolutions and recurrences round to TF32.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    return BUILDERS[op](parameters, device) if op in BUILDERS else {}


def bytes_moved(op, p):
    """The bytes that an operation must read and write once, where memory is what should bound it."""
    if p.get("backward"):
        return None
    if op == "stft" and p["output"] == "power":
        frames = p["samples"] // p["hop"] + 1
        return 4 * p["signals"] * (p["samples"] + frames * (p["n_fft"] // 2 + 1))
    if op == "conv1d" and p["groups"] == p["x"][1]:
        batch, channels, length = p["x"]
        return 4 * batch * channels * length * 2
    if op == "adamw":
        return 28 * p["replicas"] * p["parameters"]
    return None
