"""Recurrent networks: a sequence is read one step at a time."""

from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn

from lab.architectures.layers import Norm, norm_layer
from lab.config.types import PositiveInt, Probability


class _RecurrentNet(nn.Module):
    """A stack of recurrent layers, with norm and dropout between them, pooled over the steps."""

    input_shape = ("N", "C", "L")

    def __init__(
        self,
        cell: type[nn.LSTM] | type[nn.GRU],
        in_channels: int,
        out_features: int,
        hidden: int,
        layers: int,
        dropout: float,
        norm: Norm,
        bidirectional: bool,
        pooling: Literal["last", "mean"],
    ):
        super().__init__()
        width = 2 * hidden if bidirectional else hidden
        self.hidden = hidden
        self.pooling = pooling
        self.layers = nn.ModuleList(
            cell(in_channels if index == 0 else width, hidden, batch_first=True, bidirectional=bidirectional)
            for index in range(layers)
        )
        self.norms = nn.ModuleList(norm_layer(norm, width, 1) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, L) to logits or values (N, out_features)."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            steps = _read(layer, x.transpose(1, 2))
            x = self.dropout(norm(steps.transpose(1, 2)))
        return self.head(self._pooled(x))

    def _pooled(self, x: Tensor) -> Tensor:
        """(N, width, L) to (N, width); the last step of the backward direction is the first position."""
        if self.pooling == "mean":
            return x.mean(2)
        return torch.cat([x[:, : self.hidden, -1], x[:, self.hidden :, 0]], dim=1)


def _read(layer: nn.Module, steps: Tensor) -> Tensor:
    """The layer's output at every step, (N, L, width).

    In single precision under autocast on a CPU without bf16 instructions: torch has no LSTM kernel for it.
    """
    if steps.device.type == "cpu" and torch.is_autocast_enabled("cpu") and not _cpu_has_bf16():
        with torch.autocast("cpu", enabled=False):
            return layer(steps.float())[0]
    return layer(steps)[0]


@cache
def _cpu_has_bf16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class LSTM(_RecurrentNet):
    """Long short-term memory (Hochreiter & Schmidhuber 1997).

    Shapes: (N, in_channels, L) to (N, out_features), for any L.
    """

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
        super().__init__(nn.LSTM, in_channels, out_features, hidden, layers, dropout, norm, bidirectional, pooling)


class GRU(_RecurrentNet):
    """Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078).

    Shapes: (N, in_channels, L) to (N, out_features), for any L.
    """

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
        super().__init__(nn.GRU, in_channels, out_features, hidden, layers, dropout, norm, bidirectional, pooling)
