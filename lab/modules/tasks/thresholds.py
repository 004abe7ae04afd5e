"""Decision thresholds: above which probability a yes is said, for the second of two classes and for each label.

A threshold is a setting, or chosen on the validation split for a metric; test data is never used.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab.config.types import Threshold
from lab.data.loaders import Batch
from lab.errors import LabError
from lab.modules.tasks.task import TaskModule

USUAL = 0.5
TIED = 1e-12  # difference of two values of a metric that are the same


def fitting(chosen: Threshold | None, task: str, classes: int) -> Threshold | None:
    """The threshold that was chosen; raises LabError where none decides: for values, and for more than two classes."""
    if chosen is None or task == "multilabel" or classes == 2:
        return chosen
    what = f"{classes} classes" if task == "classification" else task
    raise LabError(f"threshold: is for two classes or for labels, not for {what}; leave it out")


def best(scores: NDArray[np.float32], truth: NDArray[Any], metric: str, of_both: bool) -> float | None:
    """The threshold of probabilities (N,) above which a yes is best by the metric, for 0 and 1 (N,).

    `metric` is f1, balanced_accuracy or accuracy; `of_both` makes f1 the mean over yes and no. Of equally good
    thresholds it is the one nearest to 0.5; between two probabilities the middle. None where there is only yes or no.
    """
    yes = np.asarray(truth, bool)
    if yes.all() or not yes.any() or np.isnan(scores).any():
        return None
    values, place = np.unique(np.asarray(scores, np.float32), return_inverse=True)
    of_yes, of_no = (np.bincount(place[chosen], minlength=len(values)) for chosen in (yes, ~yes))
    # Cut c says yes to values[c:]: from all samples down to none.
    found, false = (np.append(counts[::-1].cumsum()[::-1], 0) for counts in (of_yes, of_no))
    reached = METRICS[metric](found, false, int(yes.sum()), int((~yes).sum()), of_both)
    cuts = [(_between(values, cut), value) for cut, value in enumerate(reached)]
    possible = [(cut, value) for cut, value in cuts if cut is not None]
    highest = max(value for _, value in possible)
    return min((cut for cut, value in possible if value >= highest - TIED), key=lambda cut: abs(cut - USUAL))


def _between(values: NDArray[np.float32], cut: int) -> float | None:
    """The threshold at which yes is said to values[cut:] alone; None where no probability is one."""
    low = float(values[cut - 1]) if cut else -1.0
    high = float(values[cut]) if cut < len(values) else 2.0
    if low <= USUAL < high:
        return USUAL
    low, high = max(low, 0.0), min(high, 1.0)
    if not cut and not high:
        return None
    middle = float(np.float32((low + high) / 2))
    return middle if low <= middle < high else low


def _f1(found: Any, false: Any, yes: int, no: int, of_both: bool) -> Any:
    of_yes = 2 * found / (found + false + yes)
    if not of_both:
        return of_yes
    rejected = no - false
    return (of_yes + 2 * rejected / (rejected + (yes - found) + no)) / 2


def _balanced_accuracy(found: Any, false: Any, yes: int, no: int, of_both: bool) -> Any:
    return (found / yes + (no - false) / no) / 2


def _accuracy(found: Any, false: Any, yes: int, no: int, of_both: bool) -> Any:
    return (found + no - false) / (yes + no)


METRICS = {"f1": _f1, "balanced_accuracy": _balanced_accuracy, "accuracy": _accuracy}


class ThresholdModule(TaskModule):
    """Base of the modules that say yes or no: `thresholds` are those of `deciding`, the classes or labels decided on.

    With `threshold` the name of a metric, they are 0.5 until `choose_thresholds`.
    """

    def __init__(self, threshold: Threshold | None, deciding: Sequence[str], **task: Any):
        super().__init__(**task)
        self.chosen_by = threshold if isinstance(threshold, str) else None
        self.deciding = deciding
        self.thresholds = (threshold if isinstance(threshold, float | int) else USUAL,) * len(deciding)
        self.undecided: list[str] = []  # without yes, or without no, among the samples of the choice

    @abstractmethod
    def scores_of_yes(self, scored: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The probabilities of a yes and the truth, 0 or 1, both (N, K)."""

    def best_thresholds(self, model: Callable[[Tensor], Tensor], batches: Iterable[Batch]) -> tuple[float, ...]:
        """The thresholds that suit a model of inputs to raw outputs best; the present ones where none is chosen."""
        if self.chosen_by is None:
            return self.thresholds
        with torch.no_grad():
            parts = [self.scores_of_yes(self.scored(model(batch[0]), batch)) for batch in batches]
        scores, truth = (torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True))
        of_both = len(self.deciding) == 1
        found = [best(scores[:, k], truth[:, k], self.chosen_by, of_both) for k in range(scores.shape[1])]
        self.undecided = [name for name, each in zip(self.deciding, found, strict=True) if each is None]
        return tuple(USUAL if each is None else each for each in found)

    def choose_thresholds(self, batches: Iterable[Batch]) -> None:
        """Choose the thresholds for the present weights, on batches of the validation split."""

        def outputs_of(x: Tensor) -> Tensor:
            weights = next(self.architecture.parameters())
            return self(x.to(weights) if x.is_floating_point() else x.to(weights.device))

        training = self.training
        self.eval()
        self.thresholds = self.best_thresholds(outputs_of, batches)
        self.train(training)

    @property
    def described(self) -> str:
        """The thresholds in words; "" for the usual one, which nobody has set."""
        if self.chosen_by is None and set(self.thresholds) <= {USUAL}:
            return ""
        pairs = zip(self.deciding, self.thresholds, strict=True)
        said = ", ".join(f"{name} above {value:.3g}" for name, value in pairs)
        how = f"best {self.chosen_by} on the validation split" if self.chosen_by else "set by threshold"
        both = "; 0.5 where it has only yes or only no: " + ", ".join(self.undecided) if self.undecided else ""
        return f"{said} ({how}{both})"
