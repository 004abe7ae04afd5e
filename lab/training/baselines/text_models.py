"""A linear model of texts by scikit-learn: what a network of words must beat to be worth its trouble."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lab.data.encodings.text import words_of
from lab.training.baselines.linear_models import (
    ClassWeights,
    Linear,
    logistic_regression,
    one_vs_rest,
    ridge_regression,
)

MOST_TERMS = 50_000  # the most frequent words and pairs of words
MOST_WEIGHTS = 300_000  # terms × classes: a few seconds
WEAK_PENALTY = 10.0  # the usual 1 is too strong for rows of length 1: 0.743 instead of 0.779 on docstrings


class TfIdf:
    """Frequencies of words and pairs of words, rare ones weighing more; and a linear model of these.

    Targets are class numbers (N,), whose weights are `of_class`, or 0 and 1 for each label (N, K), or standardised
    values (N, T) where `classes` is 0; `weight` (N,) is that of each text.
    """

    def __init__(
        self,
        texts: Sequence[str],
        y: NDArray[Any],
        classes: int,
        of_class: ClassWeights = None,
        weight: NDArray[np.float64] | None = None,
    ):
        from sklearn.feature_extraction.text import TfidfVectorizer

        most = most_terms(classes)
        self.terms = TfidfVectorizer(analyzer=_words_and_pairs, sublinear_tf=True, max_features=most, dtype=np.float64)
        features = self.terms.fit_transform(texts)
        self.model: Linear
        if not classes:
            self.model = ridge_regression(features, y, weight)
        elif y.ndim == 2:
            self.model = one_vs_rest(features, y, weight, c=WEAK_PENALTY)
        else:
            self.model = logistic_regression(features, y, classes, of_class, weight, c=WEAK_PENALTY)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """The raw outputs (N, out_features) of a network for the same task."""
        return self.model(self.terms.transform(texts))


def most_terms(classes: int) -> int:
    """How many terms are used for so many classes or labels, 0 for values."""
    return min(MOST_TERMS, MOST_WEIGHTS // max(classes, 1))


def _words_and_pairs(text: str) -> list[str]:
    words = words_of(text)
    return [*words, *(f"{first} {second}" for first, second in pairwise(words))]
