"""What a network says of each sample of a split, and which of them it gets most wrong."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab.data.base import Split
from lab.data.encodings.outputs import Output, decided
from lab.data.time_series.windows import WindowDataset
from lab.explanations.trained import Trained
from lab.modules.tasks.thresholds import ThresholdModule

LISTED = 12  # samples in a list
CONFIDENT_ERRORS, HIGHEST_LOSS, CONFIDENT_AND_RIGHT = "most confident errors", "highest loss", "confident and right"
LARGEST_ERRORS, SMALLEST_ERRORS = "largest errors", "smallest errors"
BEST_LISTS = (CONFIDENT_AND_RIGHT, SMALLEST_ERRORS)  # the other lists are of what is wrong

Numbers = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Outcomes:
    """Truth, prediction and loss of the samples of a split, and the main metric over all of them.

    Of classes: numbers (N,) with the probability of the predicted one. Of labels: 0 or 1, (N, K), with the number of
    the `label` (N,) that is wrong with most confidence, or right with least, and that confidence. Of values: (N, T) in
    their own units, and `error` (N,), the root of the mean squared standardised error.
    """

    true: NDArray[np.generic]
    predicted: NDArray[np.generic]
    loss: Values
    score: float
    confidence: Values | None = None
    error: Values | None = None
    label: Numbers | None = None

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def wrong(self) -> NDArray[np.bool_] | None:
        """Which samples are of another class than predicted, or have a label that is wrong, (N,); None for values."""
        if self.confidence is None:
            return None
        different = self.true != self.predicted
        return different if self.label is None else np.any(different, axis=1)

    def explained(self, number: int) -> int:
        """The class or label of a sample whose output is explained; 0 for values."""
        if self.label is not None:
            return int(self.label[number])
        return 0 if self.confidence is None else int(self.predicted[number])


@torch.no_grad()
def outcomes(trained: Trained, split: Split) -> Outcomes:
    """Let the network predict every sample of a split once."""
    module = trained.module
    parts: list[dict[str, Tensor]] = []
    losses: list[float] = []
    for batch in trained.batches(split):
        outputs = module(batch[0])
        parts.append(module.scored(outputs, batch))
        pairs = zip(outputs.split(1), module.loss_target(batch).split(1), strict=True)
        losses += [float(module.loss(output, target)) for output, target in pairs]
    scored = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    score, loss = trained.score(scored), np.array(losses)
    true, predicted = scored["target"].numpy(), scored["preds"].numpy()
    if trained.data.class_names:
        said = decided(predicted, Output(trained.data.task, trained.data.class_names, (), _thresholds(trained)))
        if trained.data.task == "multilabel":
            return _of_labels(true, said, predicted, loss, score)
        confidence = predicted[np.arange(len(said)), said].astype(np.float64)
        return Outcomes(true, said, loss, score, confidence)
    difference = scored["scaled_preds"] - scored["scaled_target"]
    return Outcomes(true, predicted, loss, score, error=difference.square().mean(1).sqrt().numpy())


def _of_labels(
    true: NDArray[np.int64], said: NDArray[np.int64], probabilities: NDArray[np.float32], loss: Values, score: float
) -> Outcomes:
    """The outcomes of labels, all but the losses and the score (N, K)."""
    sure = np.where(said == 1, probabilities, 1 - probabilities).astype(np.float64)
    wrong = said != true
    label = np.where(wrong.any(axis=1), np.where(wrong, sure, -1).argmax(axis=1), sure.argmin(axis=1))
    return Outcomes(true, said, loss, score, sure[np.arange(len(label)), label], label=label)


def _thresholds(trained: Trained) -> tuple[float, ...]:
    """The probabilities above which the second of two classes, or each label, is said, as in the run's test."""
    return trained.module.thresholds if isinstance(trained.module, ThresholdModule) else ()


def lists(trained: Trained, split: Split, found: Outcomes) -> dict[str, Numbers]:
    """The samples of each list, by their numbers in the split; the first is the worst.

    Of forecast windows whose steps overlap only the worst is listed: they show the same event.
    """
    if found.error is not None:
        worst = _apart(trained, split, _descending(found.error))
        best = _apart(trained, split, _descending(-found.error))
        return {LARGEST_ERRORS: worst[:LISTED], SMALLEST_ERRORS: best[:LISTED]}
    assert found.confidence is not None
    assert found.wrong is not None
    by_confidence = _descending(found.confidence)
    return {
        CONFIDENT_ERRORS: by_confidence[found.wrong[by_confidence]][:LISTED],
        HIGHEST_LOSS: _descending(found.loss)[:LISTED],
        CONFIDENT_AND_RIGHT: by_confidence[~found.wrong[by_confidence]][:LISTED],
    }


def _descending(values: Values) -> Numbers:
    """The order from the highest value down; NaN first, which is worse than any."""
    return np.argsort(-np.where(np.isnan(values), np.inf, values), kind="stable")


def _apart(trained: Trained, split: Split, order: Numbers) -> Numbers:
    dataset = trained.data.splits[split]
    if not isinstance(dataset, WindowDataset):
        return order
    starts, kept = dataset.starts.numpy(), list[int]()
    for number in order:
        if all(abs(starts[number] - starts[other]) >= dataset.horizon for other in kept):
            kept.append(int(number))
        if len(kept) == LISTED:
            break
    return np.array(kept, dtype=np.int64)


def distinct(lists: Iterable[Numbers]) -> list[int]:
    """The numbers of all lists, each once, in the order of their first mention."""
    return list(dict.fromkeys(int(number) for numbers in lists for number in numbers))
