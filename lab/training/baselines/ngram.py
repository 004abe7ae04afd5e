"""An n-gram model with interpolated Witten-Bell smoothing: the quick baseline of a language model."""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

Context = tuple[int, ...]


class NGrams:
    """Probabilities of the next token from up to `order` - 1 before it (Witten & Bell 1991, interpolated).

    P(w | h) = (c(h, w) + T(h) · P(w | h')) / (c(h) + T(h)), with the count c, the number T(h) of different tokens that
    followed h, and h' = h without its first token; without any context P is interpolated with 1 / `vocabulary`.
    """

    def __init__(self, tokens: NDArray[np.int64], vocabulary: int, order: int):
        self.vocabulary = vocabulary
        self.order = order
        self._followers: dict[Context, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._known: dict[Context, NDArray[np.float64]] = {}
        text = tokens.tolist()
        for place, token in enumerate(text):
            for length in range(min(order, place + 1)):
                self._followers[tuple(text[place - length : place])][token] += 1

    def probabilities(self, context: Context) -> NDArray[np.float64]:
        """Of each token after a context, (V,); they add up to 1."""
        context = context[max(len(context) - self.order + 1, 0) :]
        if context not in self._known:
            shorter = self.probabilities(context[1:]) if context else np.full(self.vocabulary, 1 / self.vocabulary)
            self._known[context] = self._interpolated(context, shorter)
        return self._known[context]

    def _interpolated(self, context: Context, shorter: NDArray[np.float64]) -> NDArray[np.float64]:
        followers = self._followers.get(context)
        if not followers:
            return shorter
        mixed = len(followers) * shorter
        mixed[list(followers)] += list(followers.values())
        return mixed / (sum(followers.values()) + len(followers))

    def log_probabilities(self, x: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of each token after each position of windows (N, L), from their own tokens alone: (N, V, L)."""
        rows = [[self.probabilities(tuple(row[: end + 1])) for end in range(len(row))] for row in x.tolist()]
        return np.log(np.asarray(rows)).transpose(0, 2, 1)
