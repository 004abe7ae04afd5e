"""Recurrent networks: a sequence is read one step at a time."""

from functools import cache
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from lab.architectures.layers import Norm, norm_layer
from lab.architectures.masking import last_real, mean_of_real, norm_of_real, reversed_real, without_padding
from lab.config.types import PositiveInt, Probability


class _RecurrentNet(nn.Module):
    """A stack of recurrent layers, each followed by norm and dropout, pooled over the steps.

    With `padded`, sequences may end in NaN: their last step, their mean and the way back begin before it.
    """

    input_shape = ("N", "C", "L")
    masks_padding = True
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
        padded: bool = False,
    ):
        super().__init__()
        width = 2 * hidden if bidirectional else hidden
        self.padded = padded
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
        real = None
        if self.padded:
            x, real = without_padding(x)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            steps = _outputs(layer, x.transpose(1, 2), real).transpose(1, 2)
            x = self.dropout(norm(steps) if real is None else norm_of_real(norm, steps, real))
        return self.head(self._pooled(x, real))

    def _pooled(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """(N, width, L) to (N, width); the backward direction ends at the first position."""
        if self.pooling == "mean":
            return x.mean(2) if real is None else mean_of_real(x, real)
        forward = x[:, : self.hidden]
        last = forward[:, :, -1] if real is None else last_real(forward, real)
        return torch.cat([last, x[:, self.hidden :, 0]], dim=1)


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


def _outputs(layer: nn.Module, steps: Tensor, real: Tensor | None = None) -> Tensor:
    """The layer's output at every step, (N, L, width); `real` (N, L) are the steps before the padding, if there is any.

    Computed in single precision under autocast on a CPU without bf16 instructions, where torch has no LSTM kernel.
    """
    if steps.device.type == "cpu" and torch.is_autocast_enabled("cpu") and not _cpu_has_bf16_lstm():
        with torch.autocast("cpu", enabled=False):
            return _run(layer, steps.float(), real)
    return _run(layer, steps, real)


def _run(layer: Any, steps: Tensor, real: Tensor | None) -> Tensor:
    """As `_outputs`. Padding at the end comes too late for the forward direction, and too early for the backward one.

    So the backward one reads the real steps in the opposite order, with the padding still at the end.
    """
    if real is None:
        return layer(steps)[0]
    one_direction = _scanned if torch.compiler.is_exporting() else _one_direction
    forward = one_direction(layer, steps, 0)
    if not layer.bidirectional:
        return forward
    backward = one_direction(layer, reversed_real(steps, real), 1)
    return torch.cat([forward, reversed_real(backward, real)], dim=2)


def _one_direction(layer: Any, steps: Tensor, number: int) -> Tensor:
    """The output (N, L, hidden) of the weights of one direction, which reads the steps in their order."""
    start = steps.new_zeros(1, len(steps), layer.hidden_size)
    weights = layer.all_weights[number]
    if isinstance(layer, nn.LSTM):
        return torch.lstm(steps, [start, start], weights, True, 1, 0.0, layer.training, False, True)[0]
    return torch.gru(steps, start, weights, True, 1, 0.0, layer.training, False, True)[0]


def _scanned(layer: Any, steps: Tensor, number: int) -> Tensor:
    """As `_one_direction`, as a loop over the steps, for models that are exported for sequences of any length.

    torch.export writes nn.LSTM and nn.GRU as one copy of the cell for each step of its example. A scan stays a loop in
    the exported program and in ONNX.
    """
    from torch._higher_order_ops.scan import scan  # torch 2.13 has no public name for it

    inputs_weight, state_weight, inputs_bias, state_bias = layer.all_weights[number]
    inputs = nn.functional.linear(steps, inputs_weight, inputs_bias).transpose(0, 1)

    def lstm(state: tuple[Tensor, Tensor], x: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        hidden, cell = state
        gates = x + hidden @ state_weight.T + state_bias
        enter, keep, new, leave = gates.chunk(4, 1)
        cell = keep.sigmoid() * cell + enter.sigmoid() * new.tanh()
        hidden = leave.sigmoid() * cell.tanh()
        return (hidden, cell), hidden.clone()

    def gru(hidden: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        (reset, keep, new), (old_reset, old_keep, old) = (
            x.chunk(3, 1),
            (hidden @ state_weight.T + state_bias).chunk(3, 1),
        )
        keep = (keep + old_keep).sigmoid()
        new = (new + (reset + old_reset).sigmoid() * old).tanh()
        hidden = (1 - keep) * new + keep * hidden
        return hidden, hidden.clone()

    start = steps.new_zeros(steps.shape[0], layer.hidden_size)
    _, outputs = scan(lstm, (start, start.clone()), inputs) if isinstance(layer, nn.LSTM) else scan(gru, start, inputs)
    return outputs.transpose(0, 1)


@cache
def _cpu_has_bf16_lstm() -> bool:
    """Whether an LSTM runs in bf16 on this CPU: tried once, since no public function of torch tells."""
    with torch.random.fork_rng(devices=[]), torch.autocast("cpu", torch.bfloat16):
        try:
            nn.LSTM(1, 1)(torch.zeros(1, 1, 1))
        except RuntimeError:  # no oneDNN kernel for this CPU
            return False
    return True
