"""The rule for the best epoch, which runs, trials and replicates share."""

import math
from dataclasses import dataclass


@dataclass
class BestEpoch:
    """The epoch (from 1; 0 before the first) with the lowest finite validation loss, and that loss.

    The first of equal losses; the last epoch while no loss was finite, which `loss` then says by being infinite.
    """

    epoch: int = 0
    loss: float = math.inf

    def update(self, epoch: int, loss: float) -> bool:
        """Take the next epoch into account; whether its loss is the lowest finite one so far."""
        improved = math.isfinite(loss) and loss < self.loss
        if improved:
            self.loss = loss
        if improved or not math.isfinite(self.loss):
            self.epoch = epoch
        return improved
