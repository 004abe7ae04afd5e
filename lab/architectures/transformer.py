"""Transformers: an encoder for sequences, and one that reads tokens from left to right."""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from lab.architectures.masking import last_real, mean_of_real, strided, without_padding
from lab.config.types import PositiveInt, Probability

Activation = Literal["relu", "gelu"]


class TransformerEncoder(nn.Module):
    """Self-attention over all parts of a sequence (Vaswani et al. 2017, arXiv 1706.03762), pre-norm.

    A part is `patch` steps, embedded as one (Dosovitskiy et al. 2021, arXiv 2010.11929).
    With `padded`, sequences may end in NaN, and have at most `length` steps: nothing attends to what follows, and a
    last part that is not complete is filled up with zeros.
    Shapes: (N, in_channels, length) to (N, out_features).
    """

    input_shape = ("N", "C", "L")
    masks_padding = True

    def __init__(
        self,
        in_channels: int,
        length: int,
        out_features: int,
        hidden: PositiveInt = 64,
        layers: PositiveInt = 2,
        heads: PositiveInt = 4,
        patch: PositiveInt = 1,
        activation: Activation = "gelu",
        dropout: Probability = 0.0,
        pooling: Literal["last", "mean"] = "mean",
        padded: bool = False,
    ):
        super().__init__()
        if length % patch and not padded:
            raise ValueError(f"model.patch ({patch}) must divide the length of the sequences ({length})")
        self.pooling = pooling
        self.padded = padded
        self.patch = patch
        self.embed = nn.Conv1d(in_channels, hidden, patch, stride=patch)
        self.positions = nn.Parameter(sinusoidal_positions(math.ceil(length / patch), hidden))
        self.encoder = _blocks(hidden, layers, heads, activation, dropout)
        self.head = nn.Linear(hidden, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, length) to logits or values (N, out_features)."""
        if self.padded:
            return self._forward_padded(x)
        x = self.encoder(self.embed(x).transpose(1, 2) + self.positions)
        return self.head(x.mean(1) if self.pooling == "mean" else x[:, -1])

    def _forward_padded(self, x: Tensor) -> Tensor:
        """As `forward`, for sequences of at most `length` steps, padded with NaN."""
        x, real = without_padding(x)
        parts = self.embed(pad(x, (0, self.patch - 1))).transpose(1, 2)
        real = strided(real, self.patch, parts.shape[1])
        x = self.encoder(parts + self.positions[: parts.shape[1]], src_key_padding_mask=~real).transpose(1, 2)
        return self.head(mean_of_real(x, real) if self.pooling == "mean" else last_real(x, real))


class CausalTransformer(nn.Module):
    """Self-attention over all tokens up to each position (Radford et al. 2018; Vaswani et al. 2017), pre-norm.

    With a `kernel` above 1, a causal convolution first adds to each token what the `kernel` - 1 before it say, so that
    n-grams need no attention (Primer, So et al. 2021, arXiv 2109.08668, convolves inside the attention).
    Shapes: token numbers (N, length) to logits (N, vocabulary, length) of the next token.
    """

    input_shape = ("N", "L")
    mask: Tensor

    def __init__(
        self,
        length: int,
        vocabulary: int,
        hidden: PositiveInt = 64,
        layers: PositiveInt = 2,
        heads: PositiveInt = 4,
        dropout: Probability = 0.0,
        kernel: PositiveInt = 1,
    ):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, hidden)
        self.positions = nn.Parameter(sinusoidal_positions(length, hidden))
        self.kernel = kernel
        self.joined = nn.Conv1d(hidden, hidden, kernel) if kernel > 1 else None
        self.blocks = _blocks(hidden, layers, heads, "gelu", dropout)
        self.head = nn.Linear(hidden, vocabulary)
        # True where a position (row) must not see another (column).
        self.register_buffer("mask", torch.ones(length, length, dtype=torch.bool).triu(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, length) to (N, vocabulary, length)."""
        x = self.embed(x.long()) + self.positions
        if self.joined is not None:
            before = pad(x.transpose(1, 2), (self.kernel - 1, 0))
            x = x + self.joined(before).transpose(1, 2)
        return self.head(self.blocks(x, mask=self.mask, is_causal=True)).transpose(1, 2)


def _blocks(hidden: int, layers: int, heads: int, activation: Activation, dropout: float) -> nn.TransformerEncoder:
    """`layers` pre-norm blocks of `heads` heads, with four times `hidden` units in between, and a last norm."""
    if hidden % heads:
        raise ValueError(f"model.hidden ({hidden}) must be a multiple of model.heads ({heads})")
    block = nn.TransformerEncoderLayer(
        hidden, heads, 4 * hidden, dropout, activation, batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(block, layers, nn.LayerNorm(hidden), enable_nested_tensor=False)


def sinusoidal_positions(length: int, width: int) -> Tensor:
    """Sine and cosine of each position at geometrically spaced frequencies, (length, width); section 3.5."""
    position = torch.arange(length).unsqueeze(1)
    frequency = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    positions = torch.zeros(length, width)
    positions[:, 0::2] = torch.sin(position * frequency)
    positions[:, 1::2] = torch.cos(position * frequency)[:, : width // 2]
    return positions
