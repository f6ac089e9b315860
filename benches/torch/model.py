"""The model family of an experiment file in plain PyTorch: encoders of the streams, fusion of their embeddings, head."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu, "tanh": torch.tanh, "silu": F.silu}


def of_kind(table, config):
    """The entry of `config["kind"]`."""
    if config["kind"] not in table:
        raise NotImplementedError(f"{config['kind']!r}: expected one of {', '.join(table)}")
    return table[config["kind"]]


def norm(config, channels):
    if config["kind"] == "none":
        return nn.Identity()
    if config["kind"] == "batch":
        raise NotImplementedError("batch normalisation: its running statistics are not exported")
    return nn.GroupNorm(config.get("num_groups", 1), channels)


class Conv(nn.Module):
    """Convolution over time or an image with the padding of an experiment file, then normalisation and activation."""

    def __init__(self, config, block, channels, image):
        super().__init__()
        if block["residual"] or block.get("pool"):
            raise NotImplementedError("shortcuts and pooling between blocks")
        extent = lambda value: value if isinstance(value, list) else [value, value]
        kernel, stride, dilation = (extent(block[key]) for key in ("kernel_size", "stride", "dilation"))
        spans = [d * (k - 1) for d, k in zip(dilation, kernel)]
        kind, axes = (nn.Conv2d, slice(0, 2)) if image else (nn.Conv1d, slice(1, 2))
        same = config["padding"] == "same"
        symmetric = same and all(span % 2 == 0 for span in spans[axes])
        self.conv = kind(
            channels,
            block["channels"],
            tuple(kernel[axes]),
            tuple(stride[axes]),
            tuple(span // 2 for span in spans[axes]) if symmetric else 0,
            tuple(dilation[axes]),
        )
        # F.pad counts axes from the last.
        before = lambda span: (span // 2, span - span // 2) if same else (span, 0)
        uneven = not symmetric and config["padding"] != "valid"
        self.pad = [side for span in reversed(spans[axes]) for side in before(span)] if uneven else None
        self.norm = norm(config["norm"], block["channels"])
        self.activation = ACTIVATIONS[config["activation"]]

    def forward(self, x):
        if self.pad:
            x = F.pad(x, self.pad)
        return self.activation(self.norm(self.conv(x)))


class Blocks(nn.ModuleList):
    """The convolution blocks of an encoder."""

    def __init__(self, config, channels, image):
        sizes = [channels, *(block["channels"] for block in config["blocks"])]
        super().__init__(Conv(config, block, size, image) for block, size in zip(config["blocks"], sizes))
        self.channels = sizes[-1]

    def forward(self, x):
        for block in self:
            x = block(x)
        return x


def pool(x, pooling):
    """`[B, C, ...]` to `[B, C]`, or `[B, 2 C]` for statistics."""
    x = x.flatten(2)
    if pooling == "max":
        return x.amax(2)
    if pooling == "mean":
        return x.mean(2)
    if pooling == "stats":
        variance, mean = torch.var_mean(x, 2, correction=0)
        return torch.cat([mean, (variance + 1e-5).sqrt()], 1)
    raise NotImplementedError(f"pooling {pooling!r} of convolutions")


def pooled_size(channels, pooling):
    return 2 * channels if pooling == "stats" else channels


class Cnn(nn.Module):
    """`[B, C, T]` or `[B, C, H, W]` to `[B, F]`."""

    def __init__(self, config, channels, image):
        super().__init__()
        self.blocks = Blocks(config, channels, image)
        self.pooling = config["pooling"]
        self.output_size = pooled_size(self.blocks.channels, self.pooling)

    def forward(self, x):
        return pool(self.blocks(x), self.pooling)


def refuse_ragged(shape):
    if not shape.get("fixed", True):
        raise NotImplementedError("a convolution over series of unequal length")


class CnnStream(nn.Module):
    def __init__(self, config, shape):
        super().__init__()
        self.image = [shape[key] for key in ("channels", "height", "width")] if shape["kind"] == "image" else None
        if shape.get("count", 1) != 1:
            raise NotImplementedError("several images per sample")
        refuse_ragged(shape)
        self.cnn = Cnn(config, shape["channels"], self.image is not None)
        self.output_size = self.cnn.output_size

    def forward(self, rows, lengths):
        return self.cnn(rows.view(-1, *self.image) if self.image else rows.transpose(1, 2))


class SpectrogramStream(nn.Module):
    def __init__(self, config, shape):
        super().__init__()
        self.num_fft, self.hop = config["num_fft"], config["hop"]
        self.register_buffer("window", torch.hann_window(self.num_fft))
        self.norm = nn.GroupNorm(shape["channels"], shape["channels"])
        self.cnn = Cnn(config["cnn"], shape["channels"], True)
        self.output_size = self.cnn.output_size

    def forward(self, rows, lengths):
        signals = rows.transpose(1, 2)
        spectrum = torch.stft(
            signals.flatten(0, 1), self.num_fft, self.hop, window=self.window, return_complex=True
        ).unflatten(0, signals.shape[:2])
        power = spectrum.real.square() + spectrum.imag.square()
        return self.cnn(self.norm(power.clamp_min_(1e-6).log_()))


class LstmStream(nn.Module):
    def __init__(self, config, shape):
        super().__init__()
        self.ragged, self.pooling = not shape["fixed"], config["pooling"]
        if self.ragged and self.pooling != "last":
            raise NotImplementedError("pooling over sequences of unequal length")
        self.lstm = nn.LSTM(
            shape["channels"],
            config["hidden_size"],
            config["layers"],
            batch_first=True,
            bidirectional=config["bidirectional"],
        )
        # One bias per gate is enough: the second of PyTorch's two stays zero.
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("bias_hh"):
                nn.init.zeros_(parameter)
                parameter.requires_grad_(False)
        self.directions = 2 if config["bidirectional"] else 1
        width = config["hidden_size"] * self.directions
        self.output_size = pooled_size(width, self.pooling)

    def forward(self, rows, lengths):
        if self.ragged:
            rows = pack_padded_sequence(rows, lengths.clamp_min(1), batch_first=True, enforce_sorted=False)
        sequence, (last, _) = self.lstm(rows)
        if self.pooling != "last":
            return pool(sequence.transpose(1, 2), self.pooling)
        last = last[-self.directions :].transpose(0, 1).flatten(1)
        return last * (lengths > 0).unsqueeze(1) if self.ragged else last


class CnnLstmStream(nn.Module):
    def __init__(self, config, shape):
        super().__init__()
        refuse_ragged(shape)
        self.blocks = Blocks(config["cnn"], shape["channels"], False)
        self.lstm = LstmStream(config["lstm"], {"channels": self.blocks.channels, "fixed": True})
        self.output_size = self.lstm.output_size

    def forward(self, rows, lengths):
        return self.lstm(self.blocks(rows.transpose(1, 2)).transpose(1, 2), None)


class MlpStream(nn.Module):
    def __init__(self, config, shape):
        super().__init__()
        sizes = [shape.get("features") or shape["channels"] * (shape.get("length") or shape["height"] * shape["width"])]
        sizes += config["hidden_sizes"]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in zip(sizes, sizes[1:]))
        self.activation = ACTIVATIONS[config["activation"]]
        self.dropout = nn.Dropout(config["dropout"])
        self.output_size = sizes[-1]

    def forward(self, rows, lengths):
        x = rows.flatten(1)
        for index, layer in enumerate(self.layers):
            x = self.activation(layer(x if index == 0 else self.dropout(x)))
        return x


STREAMS = {
    "mlp": MlpStream,
    "cnn": CnnStream,
    "lstm": LstmStream,
    "cnn-lstm": CnnLstmStream,
    "spectrogram": SpectrogramStream,
}


class ModalityDropout(nn.Module):
    """Drops each present modality of a training sample with a probability, but never all."""

    def __init__(self, modalities, rate):
        super().__init__()
        self.rate = rate
        self.register_buffer("leaders", torch.tensor([modalities.index(modality) for modality in modalities]))

    def forward(self, present):
        if not self.training or self.rate == 0:
            return present
        drawn = torch.rand_like(present)[:, self.leaders].masked_fill(present == 0, -1.0)
        return present * ((drawn >= self.rate) | (drawn >= drawn.amax(1, keepdim=True)))


class Network(nn.Module):
    """Logits of a batch: one `(rows [B, T, C], lengths [B], present [B])` per stream."""

    def __init__(self, model, inputs, num_classes, dropout):
        super().__init__()
        self.streams, self.embeds = nn.ModuleList(), nn.ModuleList()
        size = model["embedding_size"]
        for stream, shape in zip(model["stream"], inputs):
            if stream.get("decoder") or stream.get("augment"):
                raise NotImplementedError("decoders and augmentation")
            config = stream["encoder"] | {"dropout": dropout}
            encoder = of_kind(STREAMS, config)(config, shape)
            self.streams.append(encoder)
            self.embeds.append(nn.Linear(encoder.output_size, size))
        self.dropout = nn.Dropout(dropout)
        modalities = [stream["modality"] for stream in model["stream"]]
        self.modality_dropout = ModalityDropout(modalities, model["modality_dropout"])
        if model["fusion"]["kind"] not in ("attention", "concat"):
            raise NotImplementedError(f"fusion {model['fusion']['kind']!r}")
        self.attention = model["fusion"]["kind"] == "attention"
        self.concat = not self.attention or model["fusion"]["combine"] == "concat"
        if self.attention:
            hidden = model["fusion"]["hidden_size"]
            self.project, self.score = nn.Linear(size, hidden), nn.Linear(hidden, 1, bias=False)
        sizes = [size * len(self.streams) if self.concat else size, *model["head"]["hidden_sizes"], num_classes]
        self.head = nn.ModuleList(nn.Linear(*pair) for pair in zip(sizes, sizes[1:]))

    def forward(self, inputs):
        embeddings = [
            self.dropout(F.relu(embed(stream(rows, lengths))))
            for stream, embed, (rows, lengths, _) in zip(self.streams, self.embeds, inputs)
        ]
        embeddings = torch.stack(embeddings, 1)
        present = self.modality_dropout(torch.stack([present for _, _, present in inputs], 1))
        if self.attention:
            scores = self.score(torch.tanh(self.project(embeddings))).squeeze(2) + (present - 1) * 1e4
            weights = F.softmax(scores, 1) * present
            embeddings = embeddings * weights.unsqueeze(2)
            x = embeddings.flatten(1) * len(self.streams) if self.concat else embeddings.sum(1)
        else:
            x = (embeddings * present.unsqueeze(2)).flatten(1)
        for index, layer in enumerate(self.head):
            x = layer(x if index == 0 else self.dropout(F.relu(x)))
        return x

    def ordered_parameters(self):
        """`(parameter, whether it is stored transposed)` in the order of the exported weights."""
        linear = lambda layer: [(layer.weight, True), *([(layer.bias, False)] if layer.bias is not None else [])]
        both = lambda layer: [(layer.weight, False), (layer.bias, False)]
        for stream, embed in zip(self.streams, self.embeds):
            if isinstance(stream, SpectrogramStream):
                yield from both(stream.norm)
            # The encoder's convolutions are its own or those of the network in it.
            for block in getattr(getattr(stream, "cnn", stream), "blocks", []):
                yield from both(block.conv)
                if not isinstance(block.norm, nn.Identity):
                    yield from both(block.norm)
            lstm = stream if isinstance(stream, LstmStream) else getattr(stream, "lstm", None)
            if lstm:
                for layer in range(lstm.lstm.num_layers):
                    for suffix in ["", "_reverse"][: lstm.directions]:
                        for name, transposed in (("weight_ih", True), ("weight_hh", True), ("bias_ih", False)):
                            yield getattr(lstm.lstm, f"{name}_l{layer}{suffix}"), transposed
            if isinstance(stream, MlpStream):
                for layer in stream.layers:
                    yield from linear(layer)
            yield from linear(embed)
        if self.attention:
            yield from linear(self.project) + linear(self.score)
        for layer in self.head:
            yield from linear(layer)

    @torch.no_grad()
    def load(self, weights):
        """Takes the weights of one replica, a flat tensor."""
        start = 0
        for parameter, transposed in self.ordered_parameters():
            values = weights[start : start + parameter.numel()]
            start += parameter.numel()
            parameter.copy_(values.view(parameter.shape[::-1]).t() if transposed else values.view(parameter.shape))
        if start != weights.numel():
            raise ValueError(f"{weights.numel()} weights were exported, this model has {start}")
