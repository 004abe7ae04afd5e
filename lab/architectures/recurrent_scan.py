"""Recurrent layers as an explicit loop over the steps, for models that are exported for sequences of any length.

torch.export writes nn.LSTM and nn.GRU as one copy of the cell for each step of its example. A scan stays a loop in the
exported program and in ONNX.
"""

from typing import Any

from torch import Tensor, nn


def one_direction(layer: Any, steps: Tensor, number: int) -> Tensor:
    """The output (N, L, hidden) of the weights of one direction of an LSTM or GRU, which reads (N, L, C) in order."""
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
