"""Recurrent networks: a sequence is read one step at a time."""

from functools import cache
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from lab.architectures.layers import Norm, norm_layer
from lab.config.types import PositiveInt, Probability


class _RecurrentNet(nn.Module):
    """A stack of recurrent layers, each followed by norm and dropout, pooled over the steps."""

    input_shape = ("N", "C", "L")
    cell: ClassVar[type[nn.LSTM | nn.GRU]]

    def __init__(
        self,
        in_channels: int,
        out_features: int,
        hidden: PositiveInt = 64,
        layers: PositiveInt = 2,
        dropout: Probability = 0.0,
        norm: Norm = "none",
        bidirectional: bool = False,
        pooling: Literal["last", "mean"] = "last",
    ):
        super().__init__()
        width = 2 * hidden if bidirectional else hidden
        self.hidden = hidden
        self.pooling = pooling
        self.layers = nn.ModuleList(
            self.cell(width if index else in_channels, hidden, batch_first=True, bidirectional=bidirectional)
            for index in range(layers)
        )
        self.norms = nn.ModuleList(norm_layer(norm, width, 1) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, L) to logits or values (N, out_features)."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            steps = _outputs(layer, x.transpose(1, 2))
            x = self.dropout(norm(steps.transpose(1, 2)))
        return self.head(self._pooled(x))

    def _pooled(self, x: Tensor) -> Tensor:
        """(N, width, L) to (N, width); the backward direction ends at the first position."""
        if self.pooling == "mean":
            return x.mean(2)
        return torch.cat([x[:, : self.hidden, -1], x[:, self.hidden :, 0]], dim=1)


class LSTM(_RecurrentNet):
    """Long short-term memory (Hochreiter & Schmidhuber 1997).

    Shapes: (N, in_channels, L) to (N, out_features), for any L.
    """

    cell = nn.LSTM


class GRU(_RecurrentNet):
    """Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078).

    Shapes: (N, in_channels, L) to (N, out_features), for any L.
    """

    cell = nn.GRU


def _outputs(layer: nn.Module, steps: Tensor) -> Tensor:
    """The layer's output at every step, (N, L, width).

    Computed in single precision under autocast on a CPU without bf16 instructions, where torch has no LSTM kernel.
    """
    if steps.device.type == "cpu" and torch.is_autocast_enabled("cpu") and not _cpu_has_bf16_lstm():
        with torch.autocast("cpu", enabled=False):
            return layer(steps.float())[0]
    return layer(steps)[0]


@cache
def _cpu_has_bf16_lstm() -> bool:
    """Whether an LSTM runs in bf16 on this CPU: tried once, since no public function of torch tells."""
    with torch.random.fork_rng(devices=[]), torch.autocast("cpu", torch.bfloat16):
        try:
            nn.LSTM(1, 1)(torch.zeros(1, 1, 1))
        except RuntimeError:  # no oneDNN kernel for this CPU
            return False
    return True
