"""What stands in front of an architecture that forecasts: windows seen from their last value."""

from torch import Tensor, nn


class FromLastValue(nn.Module):
    """Subtracts the last value of each target from its window, and adds it to what the architecture returns.

    So an output of zero is the last-value forecast, and a level that was never seen in training is none to the
    architecture (Zeng et al. 2023, arXiv 2205.13504, call it NLinear). Channels behind the targets stay.
    Shapes: (N, C, window) to (N, targets · horizon).
    """

    def __init__(self, architecture: nn.Module, targets: int, horizon: int):
        super().__init__()
        self.architecture = architecture
        self.targets = targets
        self.horizon = horizon

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, window) to values (N, targets · horizon)."""
        last = x[:, : self.targets, -1:]
        shift = nn.functional.pad(last, (0, 0, 0, x.shape[1] - self.targets))
        return self.architecture(x - shift) + last.expand(-1, -1, self.horizon).flatten(1)
