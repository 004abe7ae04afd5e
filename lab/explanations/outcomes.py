"""What a network says of each sample of a split, and which of them it gets most wrong."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab.data.base import Split
from lab.data.loaders import WindowDataset
from lab.explanations.trained import Trained

LISTED = 12  # samples in a list
CONFIDENT_ERRORS, HIGHEST_LOSS, CONFIDENT_AND_RIGHT = "most confident errors", "highest loss", "confident and right"
LARGEST_ERRORS, SMALLEST_ERRORS = "largest errors", "smallest errors"
BEST_LISTS = (CONFIDENT_AND_RIGHT, SMALLEST_ERRORS)  # the other lists are of what is wrong

Numbers = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Outcomes:
    """Truth, prediction and loss of the samples of a split, and the main metric over all of them.

    Of classes: numbers (N,) with the probability of the predicted one. Of values: (N, T) in their own units, and
    `error` (N,), the root of the mean squared standardised error.
    """

    true: NDArray[np.generic]
    predicted: NDArray[np.generic]
    loss: Values
    score: float
    confidence: Values | None = None
    error: Values | None = None

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def wrong(self) -> NDArray[np.bool_] | None:
        """Which samples are of another class than predicted, (N,); None for values."""
        return None if self.confidence is None else self.true != self.predicted


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
        said = scored["decided"].numpy() if "decided" in scored else predicted.argmax(axis=1)
        return Outcomes(true, said, loss, score, predicted[np.arange(len(said)), said].astype(np.float64))
    difference = scored["scaled_preds"] - scored["scaled_target"]
    return Outcomes(true, predicted, loss, score, error=difference.square().mean(1).sqrt().numpy())


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
