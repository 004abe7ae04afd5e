"""A transformer that reads from left to right, for the next token at each position."""

import torch
from torch import Tensor, nn

from lab.architectures.transformer import sinusoidal_positions
from lab.config.types import PositiveInt, Probability


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
        if hidden % heads:
            raise ValueError(f"model.hidden ({hidden}) must be a multiple of model.heads ({heads})")
        self.embed = nn.Embedding(vocabulary, hidden)
        self.positions = nn.Parameter(sinusoidal_positions(length, hidden))
        self.kernel = kernel
        self.joined = nn.Conv1d(hidden, hidden, kernel) if kernel > 1 else None
        block = nn.TransformerEncoderLayer(
            hidden, heads, 4 * hidden, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, layers, nn.LayerNorm(hidden), enable_nested_tensor=False)
        self.head = nn.Linear(hidden, vocabulary)
        # True where a position (row) must not see another (column).
        self.register_buffer("mask", torch.ones(length, length, dtype=torch.bool).triu(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, length) to (N, vocabulary, length)."""
        x = self.embed(x.long()) + self.positions
        if self.joined is not None:
            before = nn.functional.pad(x.transpose(1, 2), (self.kernel - 1, 0))
            x = x + self.joined(before).transpose(1, 2)
        return self.head(self.blocks(x, mask=self.mask, is_causal=True)).transpose(1, 2)
