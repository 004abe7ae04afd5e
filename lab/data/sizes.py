"""What an architecture has to know of the data: the shape of a sample, and layers that it needs in front."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any


@dataclass(frozen=True)
class Sizes:
    """The shape of one sample as the architecture sees it, without N, and the number of outputs.

    `classes` is 0 for regression and forecasting, which may have `levels` outputs for each value, its quantiles, and
    for `labels`, of which a sample may have several. Of `ordered` classes, the architecture gives one number. `padded`
    says that sequences (C, L) are of unequal length, of at most L steps, and end in NaN. Of a language model, whose
    samples are (L,), `vocabulary` is the number of tokens, else 0. `number_columns` are the positions of numbers among
    the features of a table, whose others are categories and the like.
    """

    input_shape: tuple[int, ...]
    out_features: int
    classes: int = 0
    levels: int = 1
    padded: bool = False
    labels: int = 0
    ordered: bool = False
    vocabulary: int = 0
    number_columns: tuple[int, ...] | None = None

    def with_levels(self, levels: int) -> "Sizes":
        """The same with so many outputs for each value."""
        return replace(self, out_features=self.out_features // self.levels * levels, levels=levels)

    @property
    def raw_outputs(self) -> int:
        """Numbers per sample that the loss takes: those of the architecture, or K − 1 logits of K ordered classes."""
        return self.classes - 1 if self.ordered else self.out_features

    @property
    def positions(self) -> tuple[int, ...]:
        """What follows the number of outputs in their shape: (L,) of a language model, which has some at each token."""
        return self.input_shape if self.vocabulary else ()

    def supplied(self) -> dict[str, Any]:
        """The constructor arguments that are passed to an architecture that has parameters of these names.

        | name | value |
        |---|---|
        | in_features | values in one sample, all dimensions multiplied |
        | out_features | logits or values per sample: 1 logit for two classes, 1 number for ordered classes |
        | classes | number of classes |
        | in_channels | C of (C, L) or (C, H, W) |
        | length | L of (C, L) |
        | padded | whether sequences (C, L) are of unequal length, with NaN after the end |
        | image_size | (H, W) of (C, H, W) |
        | vocabulary | number of tokens of a language model, whose `length` is L of (L,) |
        | number_columns | positions of numbers among the features of a table |
        """
        names: dict[str, Any] = {"in_features": prod(self.input_shape), "out_features": self.out_features}
        if self.classes:
            names["classes"] = self.classes
        if self.vocabulary:
            names |= {"vocabulary": self.vocabulary, "length": self.input_shape[0]}
        if self.number_columns is not None:
            names["number_columns"] = self.number_columns
        if len(self.input_shape) > 1:
            names["in_channels"] = self.input_shape[0]
        if len(self.input_shape) == 2:
            names |= {"length": self.input_shape[1], "padded": self.padded}
        if len(self.input_shape) == 3:
            names["image_size"] = self.input_shape[1:]
        return names


@dataclass(frozen=True)
class EmbeddedColumns:
    """Input adapter: some of the input's `columns` hold category codes or the tokens of a text, and are embedded.

    `categories` maps the index of each column of codes to its number of known categories; `texts` the first column of
    a text and the one after its last to (number of tokens, width of the embedding). Of a text the mean is taken.
    """

    columns: int
    categories: Mapping[int, int]
    texts: Mapping[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    def embeddings(self) -> dict[int, tuple[int, int]]:
        """Index of the column to (number of categories, width of the embedding)."""
        return {index: (count, embedding_width(count)) for index, count in self.categories.items()}

    def replaced(self) -> set[int]:
        """The columns that the architecture sees as embeddings, after all others."""
        return {*self.categories, *(index for first, end in self.texts for index in range(first, end))}

    @property
    def width(self) -> int:
        """The number of features that the architecture sees."""
        tokens = sum(end - first for first, end in self.texts)
        widths = sum(width for _, width in (*self.embeddings().values(), *self.texts.values()))
        return self.columns - len(self.categories) - tokens + widths


@dataclass(frozen=True)
class RelativeToLastValue:
    """Input adapter: the first `channels` are given relative to their last values, the outputs to those of `targets`.

    By default, the channels are the targets.
    """

    targets: int
    horizon: int
    channels: int | None = None


@dataclass(frozen=True)
class EmbeddedTokens:
    """Input adapter: x (N, L) holds token numbers below `tokens`, each embedded in `width` channels, (N, width, L).

    Where x is `padding`, all channels are NaN.
    """

    tokens: int
    width: int
    padding: int


# What a network in front of the architecture must do for this data; `training.building` builds it.
InputAdapter = EmbeddedColumns | RelativeToLastValue | EmbeddedTokens


def embedding_width(categories: int) -> int:
    """The width of an embedding: about 1.6 · categories^0.56, fastai's rule, at most 50."""
    return min(50, round(1.6 * categories**0.56))
