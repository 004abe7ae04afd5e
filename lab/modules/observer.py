"""What a run asks of the module that it trains, whether the lab or the user wrote its training step."""

from array import array
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from torch import Tensor

from lab.data.loaders import Batch


class Observer(Protocol):
    """Collects what is recorded of a training: a TaskModule itself, or the observer of a user's LightningModule.

    Metrics are named `split/name`. `losses` are those of every batch of the run, `test_outputs` what was predicted
    for the test split.
    """

    losses: "array[float]"
    test_outputs: list[dict[str, Tensor]]

    @property
    def main_metric(self) -> str:
        """What the result is compared by with its baselines; "" where it has none."""

    @property
    def trivial_name(self) -> str:
        """What the trivial baseline predicts; "" where there is none."""

    @property
    def baseline_note(self) -> str:
        """Why a result has no baseline although it might have one; "" where nothing is to be said."""

    @property
    def samples(self) -> int:
        """Training samples of the epoch so far."""

    @property
    def batches_done(self) -> int:
        """Finished batches of the current epoch."""

    @property
    def between_steps(self) -> bool:
        """Whether the last batch completed an optimizer step, so that no gradient is pending."""

    def directions(self) -> dict[str, bool]:
        """Each metric's name, without its split, and whether higher is better."""

    def test_directions(self) -> dict[str, bool]:
        """The same of those that only the test has, by full name."""

    def take_published(self) -> dict[str, float]:
        """The metrics of the epoch, or of the test, that were published since the last call."""

    def take_measured(self) -> dict[str, float]:
        """Learning rate of the last optimizer step, and what was measured of the gradients of the epoch."""

    def steps(self, outputs: Any) -> Mapping[int, dict[str, float]]:
        """Optimizer step to values, for the steps taken in what `training_step` has just returned `outputs` for."""

    def score_trivial(self, batches: Iterable[Batch]) -> dict[str, float]:
        """The metrics of the trivial baseline; none where the task has none."""

    def test_intervals(self, correlated: int) -> dict[str, tuple[float, float]]:
        """The interval of each test metric, by full name; `correlated` neighbouring samples are alike."""
