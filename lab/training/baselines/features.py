"""Inputs of a network as the features of a linear model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.data.encodings.text import PAD

Matrix = NDArray[np.float64]
Span = tuple[int, int]  # the first column and the one after the last
MOST_CATEGORIES = 50  # that are one-hot encoded; of more, the frequency of each


class TokenWeights:
    """Tokens of texts (N, L), 0 after the last one, as their tf-idf weights, a sparse matrix (N, T).

    Those T tokens count that most training texts have.
    """

    def __init__(self, tokens: Matrix, most: int):
        from sklearn.feature_extraction.text import TfidfTransformer

        texts_with = np.bincount(np.concatenate([np.unique(row) for row in tokens.astype(int)]))
        texts_with[PAD] = 0
        frequent = np.argsort(-texts_with, kind="stable")[:most]
        kept = np.sort(frequent[texts_with[frequent] > 0])
        self.places = np.full(len(texts_with), -1)  # of each token that training texts have
        self.places[kept] = np.arange(len(kept))
        self.model = TfidfTransformer(sublinear_tf=True).fit(self._counts(tokens))

    def __call__(self, tokens: Matrix) -> Any:
        """The weights of texts, whose squares add up to 1; all 0 where a text has none of the tokens."""
        return self.model.transform(self._counts(tokens))

    def _counts(self, tokens: Matrix) -> Any:
        from scipy import sparse

        numbers = tokens.astype(int)
        known = np.where(numbers < len(self.places), numbers, PAD)
        rows, columns = np.nonzero(self.places[known] >= 0)
        places = self.places[known[rows, columns]]
        shape = (len(tokens), int(self.places.max()) + 1)
        return sparse.csr_matrix((np.ones(len(rows)), (rows, places)), shape)


@dataclass(frozen=True)
class Features:
    """Inputs of a network (N, ...) as features (N, F): flattened, and columns of category codes expanded.

    `shares` maps the index of such a column to the share of each code among the training rows, the last one that of
    unknown categories. A column of up to 50 categories is one-hot encoded, another is replaced by the shares,
    standardised. `texts` maps the first column of the tokens of a text, and the one after the last, to the weights of
    these; with texts, the features are a sparse matrix.
    """

    shares: Mapping[int, Matrix]
    texts: Mapping[Span, TokenWeights] = field(default_factory=dict)

    @classmethod
    def fit(cls, x: Matrix, categories: Mapping[int, int], texts: Mapping[Span, int] | None = None) -> "Features":
        """From training rows; `categories` maps the index of each column of codes to its number of known ones.

        `texts` maps the columns of each text to the most tokens that are used of it.
        """
        counts = {index: np.bincount(x[:, index].astype(int), minlength=n + 1) for index, n in categories.items()}
        weights = {span: TokenWeights(x[:, slice(*span)], most) for span, most in (texts or {}).items()}
        return cls({index: count / len(x) for index, count in counts.items()}, weights)

    def __call__(self, x: Matrix) -> Any:
        """The features of inputs."""
        flat = x.reshape(len(x), -1)
        if not self.shares and not self.texts:
            return flat
        replaced = [*self.shares, *(index for span in self.texts for index in range(*span))]
        parts = [np.delete(flat, replaced, axis=1), *(self._expanded(flat, index) for index in self.shares)]
        if not self.texts:
            return np.concatenate(parts, axis=1)
        from scipy import sparse

        weights = [found(flat[:, slice(*span)]) for span, found in self.texts.items()]
        return sparse.hstack([*map(sparse.csr_matrix, parts), *weights], format="csr")

    def _expanded(self, x: Matrix, index: int) -> Matrix:
        codes, shares = x[:, index].astype(int), self.shares[index]
        if len(shares) - 1 <= MOST_CATEGORIES:
            return np.eye(len(shares))[codes]
        mean = np.square(shares).sum()  # over the rows
        deviation = np.sqrt((shares * np.square(shares - mean)).sum())
        return ((shares[codes] - mean) / (deviation or 1.0))[:, None]


def summaries(x: Matrix) -> Matrix:
    """Sequences (N, C, L) with NaN after their end as (N, 6·C + 1) numbers: what a linear model takes of any length.

    Mean, standard deviation, first, last, smallest and largest value of each channel; and the logarithm of the length.
    """
    lengths = (~np.isnan(x[:, 0])).sum(1)
    last = np.take_along_axis(x, lengths[:, None, None] - 1, 2)[:, :, 0]
    parts = [np.nanmean(x, 2), np.nanstd(x, 2), x[:, :, 0], last, np.nanmin(x, 2), np.nanmax(x, 2)]
    return np.concatenate([*parts, np.log(lengths)[:, None]], axis=1)
