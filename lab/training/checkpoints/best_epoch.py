"""The rule for the best epoch, which runs, trials and replicates share."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lab.errors import LabError, did_you_mean


@dataclass
class BestEpoch:
    """The epoch (from 1; 0 before the first) with the best finite value of `metric`, and that value.

    The first of equal values; the last epoch while no value was finite, and where `metric` is None.
    """

    metric: str | None = "val/loss"
    higher_is_better: bool = False
    epoch: int = 0
    value: float = math.nan

    def update(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Take the next epoch into account; whether its value is the best finite one so far."""
        value = metrics.get(self.metric, math.nan) if self.metric else math.nan
        improved = math.isfinite(value) and not self._at_least_as_good_as(value)
        if improved:
            self.value = value
        if improved or not self.found:
            self.epoch = epoch
        return improved

    @property
    def found(self) -> bool:
        """Whether an epoch had a finite value."""
        return math.isfinite(self.value)

    def _at_least_as_good_as(self, value: float) -> bool:
        return self.value >= value if self.higher_is_better else self.value <= value


def best_by(monitor: str | None, directions: Mapping[str, bool]) -> BestEpoch:
    """The rule for `checkpoints.monitor`, given the directions of all metrics, without split; raises LabError."""
    if monitor is None:
        return BestEpoch(None)
    known = {f"{split}/{name}": up for split in ("val", "train") for name, up in directions.items()}
    if monitor not in known:
        raise LabError(
            f"checkpoints.monitor: no metric '{monitor}' with a known direction; {did_you_mean(monitor, known)}"
        )
    return BestEpoch(monitor, known[monitor])
