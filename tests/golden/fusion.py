"""Every kind of fusion in PyTorch, forward and backward: fused vectors, weights of the streams, and the gradients of
all parameters and embeddings.

Writes fusion.json beside this script. Run with PyTorch 1.13 (CPU). Everything is f64, with inputs and weights that f32
holds exactly, so the reference has no rounding of its own. Transformer layers are PyTorch's own. Parameters are stored
by the paths and in the shapes of the crate: linear weights are [input, output].
"""

import json
import pathlib

import torch
from torch import nn

SEED = 20260412
STREAMS, WIDTH, HIDDEN, HEADS = ["force", "stride", "clinical"], 6, 5, 2
PRESENCE = [[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 1, 1], [1, 1, 1]]
REPLICAS = 2
torch.set_default_dtype(torch.float64)


def linear(path, layer):
    yield f"{path}.weight", layer.weight, lambda w: w.t()
    yield f"{path}.bias", layer.bias, None


def norm(path, layer):
    yield f"{path}.norm.weight", layer.weight, None
    yield f"{path}.norm.bias", layer.bias, None


def transformer_layer():
    return nn.TransformerEncoderLayer(
        WIDTH, HEADS, HIDDEN, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )


def layer_parameters(path, layer):
    yield from norm(f"{path}.attention", layer.norm1)
    yield f"{path}.attention.query_key_value.weight", layer.self_attn.in_proj_weight, lambda w: w.t()
    yield f"{path}.attention.query_key_value.bias", layer.self_attn.in_proj_bias, None
    yield from linear(f"{path}.attention.output", layer.self_attn.out_proj)
    yield from norm(f"{path}.feed_forward", layer.norm2)
    yield from linear(f"{path}.feed_forward.linear0", layer.linear1)
    yield from linear(f"{path}.feed_forward.linear1", layer.linear2)


class Attention(nn.Module):
    """Additive attention."""

    def __init__(self, combine):
        super().__init__()
        self.config = {"kind": "attention", "hidden_size": HIDDEN, "combine": combine}
        self.project, self.score = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, 1, bias=False)

    def forward(self, z, there):
        scores = self.score(torch.tanh(self.project(z))).squeeze(2)
        weights = scores.masked_fill(~there, -torch.inf).softmax(1)
        if self.config["combine"] == "sum":
            return torch.einsum("bm,bme->be", weights, z), weights
        return (weights[:, :, None] * z).flatten(1) * z.shape[1], weights

    def parameters_by_path(self):
        yield from linear("attention", self.project)
        yield "attention.score", self.score.weight, lambda w: w.t()


class Gated(nn.Module):
    """Gated multimodal unit."""

    config = {"kind": "gated", "hidden_size": HIDDEN}

    def __init__(self):
        super().__init__()
        self.transform = nn.ModuleList(nn.Linear(WIDTH, HIDDEN) for _ in STREAMS)
        self.gate = nn.ModuleList(nn.Linear(len(STREAMS) * (WIDTH + 1), HIDDEN) for _ in STREAMS)

    def forward(self, z, there):
        inputs = torch.cat([torch.where(there[:, :, None], z, 0).flatten(1), there.double()], 1)
        hidden = torch.stack([torch.tanh(f(z[:, m])) for m, f in enumerate(self.transform)], 1)
        gates = torch.stack([torch.sigmoid(f(inputs)) for f in self.gate], 1).masked_fill(~there[:, :, None], 0)
        weights = gates.mean(2)
        return (gates * hidden).sum(1), weights / weights.sum(1, keepdim=True)

    def parameters_by_path(self):
        for name, transform, gate in zip(STREAMS, self.transform, self.gate):
            yield from linear(f"gated.{name}.transform", transform)
            yield from linear(f"gated.{name}.gate", gate)


class CrossAttention(nn.Module):
    """A transformer over streams, pooled by a learned query."""

    config = {"kind": "cross-attention", "num_heads": HEADS, "num_layers": 2, "hidden_size": HIDDEN}

    def __init__(self):
        super().__init__()
        self.tokens = nn.ParameterList(nn.Parameter(torch.randn(WIDTH)) for _ in STREAMS)
        self.layers = nn.ModuleList(transformer_layer() for _ in range(2))
        self.norm, self.query = nn.LayerNorm(WIDTH), nn.Parameter(torch.randn(WIDTH))
        self.key_value, self.output = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, z, there):
        x = z + torch.stack(list(self.tokens))
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=~there)
        key_value = self.key_value(self.norm(x))
        key, value = key_value.reshape(*z.shape[:2], 2, HEADS, -1).unbind(2)
        scores = torch.einsum("hd,bmhd->bmh", self.query.reshape(HEADS, -1), key) / (WIDTH // HEADS) ** 0.5
        weights = scores.masked_fill(~there[:, :, None], -torch.inf).softmax(1)
        return self.output(torch.einsum("bmh,bmhd->bhd", weights, value).flatten(1)), weights.mean(2)

    def parameters_by_path(self):
        for name, token in zip(STREAMS, self.tokens):
            yield f"cross_attention.{name}.token", token, None
        for index, layer in enumerate(self.layers):
            yield from layer_parameters(f"cross_attention.layer{index}", layer)
        yield from norm("cross_attention.pool", self.norm)
        yield "cross_attention.pool.query", self.query, None
        yield from linear("cross_attention.pool.key_value", self.key_value)
        yield from linear("cross_attention.pool.output", self.output)


class Bottleneck(nn.Module):
    """Attention bottlenecks: sample by sample, over its present streams only."""

    config = {"kind": "bottleneck", "num_tokens": 3, "num_heads": HEADS, "num_layers": 3, "hidden_size": HIDDEN}

    def __init__(self):
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(3, WIDTH))
        self.layers = nn.ModuleList(nn.ModuleList(transformer_layer() for _ in STREAMS) for _ in range(3))
        self.norm = nn.LayerNorm(WIDTH)

    def sample(self, z, there):
        present = [m for m in range(len(STREAMS)) if there[m]]
        streams, tokens = {m: z[m : m + 1] for m in present}, self.tokens
        paid = torch.zeros(len(STREAMS))
        for index, layers in enumerate(self.layers):
            inputs = {m: torch.cat([streams[m], tokens])[None] for m in present}
            if index + 1 < len(self.layers):
                for m in present:
                    normed = layers[m].norm1(inputs[m])
                    _, weights = layers[m].self_attn(normed, normed, normed)
                    paid = paid + nn.functional.one_hot(torch.tensor(m), len(STREAMS)) * weights[0, 1:, 0].mean()
            outputs = {m: layers[m](inputs[m])[0] for m in present}
            streams = {m: outputs[m][:1] for m in present}
            tokens = torch.stack([outputs[m][1:] for m in present]).mean(0)
        fused = torch.cat([self.norm(streams[m]) for m in present]).mean(0)
        return fused, paid / paid.sum()

    def forward(self, z, there):
        fused, weights = zip(*[self.sample(*sample) for sample in zip(z, there)])
        return torch.stack(fused), torch.stack(weights)

    def parameters_by_path(self):
        yield "bottleneck.tokens", self.tokens, None
        for index, layers in enumerate(self.layers):
            for name, layer in zip(STREAMS, layers):
                yield from layer_parameters(f"bottleneck.layer{index}.{name}", layer)
        yield from norm("bottleneck", self.norm)


def rounded(shape, scale=1.0):
    return torch.randn(shape).mul(scale * 1024).round().div(1024)


def flat(x):
    return [float(f"{v:.9g}") for v in x.contiguous().reshape(-1).tolist()]


def replica(make):
    fusion = make()
    with torch.no_grad():
        for parameter in fusion.parameters():
            # Scales and shifts start away from (1, 0), which would hide an exchange of the two.
            noise = rounded(parameter.shape, 0.3)
            parameter.copy_(parameter.mul(1024).round().div(1024) + noise)
    there = torch.tensor(PRESENCE, dtype=torch.bool)
    z = rounded((len(PRESENCE), len(STREAMS), WIDTH)).requires_grad_()
    fused, weights = fusion(torch.where(there[:, :, None], z, 0), there)
    cotangents = [rounded(fused.shape), rounded(weights.shape)]
    ((fused * cotangents[0]).sum() + (weights * cotangents[1]).sum()).backward()
    parameters = []
    for path, parameter, view in fusion.parameters_by_path():
        value, gradient = [view(w) if view else w for w in (parameter.data, parameter.grad)]
        stored = {"path": path, "shape": list(value.shape), "value": flat(value), "gradient": flat(gradient)}
        parameters.append(stored)
    return {
        "parameters": parameters,
        "embeddings": flat(z.detach().transpose(0, 1)),
        "embedding_gradients": flat(z.grad.transpose(0, 1)),
        "fused": flat(fused),
        "weights": flat(weights),
        "cotangents": [flat(cotangent) for cotangent in cotangents],
    }


torch.manual_seed(SEED)
kinds = [lambda: Attention("sum"), lambda: Attention("concat"), Gated, CrossAttention, Bottleneck]
golden = {
    "pytorch": torch.__version__,
    "seed": SEED,
    "streams": STREAMS,
    "embedding_size": WIDTH,
    "presence": PRESENCE,
    "cases": [{"config": make().config, "replicas": [replica(make) for _ in range(REPLICAS)]} for make in kinds],
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden) + "\n")
for case in golden["cases"]:
    print(case["config"]["kind"], case["replicas"][0]["weights"][:6])
