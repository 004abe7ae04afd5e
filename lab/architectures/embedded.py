"""What stands in front of an architecture for tables: embeddings of categories, bounds for outliers."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

FURTHEST = 10.0  # standard deviations from the mean; what lies beyond is a slip more often than a measurement


class Embedded(nn.Module):
    """Replaces columns that hold the number of a value by an embedding (Guo & Berkhahn 2016, arXiv 1604.06737).

    `embedded` has the place of each such column and how many values are known; the number after the last stands
    for every unknown value, and gets the mean of the known embeddings. Other columns come first, cut at ±10.
    Shapes: (N, columns) to what `architecture` makes of (N, width).
    """

    plain: Tensor

    def __init__(self, architecture: nn.Module, columns: int, embedded: Mapping[int, int]):
        super().__init__()
        plain = [place for place in range(columns) if place not in embedded]
        self.register_buffer("plain", torch.tensor(plain, dtype=torch.int64), persistent=False)
        self.places = list(embedded)
        self.embeddings = nn.ParameterList(
            nn.Parameter(torch.randn(values, embedding_width(values)) / embedding_width(values) ** 0.5)
            for values in embedded.values()
        )
        self.architecture = architecture

    @staticmethod
    def width(columns: int, embedded: Mapping[int, int]) -> int:
        """The number of features that the architecture gets."""
        return columns - len(embedded) + sum(map(embedding_width, embedded.values()))

    def forward(self, x: Tensor) -> Tensor:
        """(N, columns) to logits or values (N, out_features)."""
        parts = [x[:, self.plain].clamp(-FURTHEST, FURTHEST)]
        for place, known in zip(self.places, self.embeddings, strict=True):
            with_unknown = torch.cat([known, known.mean(0, keepdim=True)])
            parts.append(with_unknown[x[:, place].long()])
        return self.architecture(torch.cat(parts, dim=1))


def embedding_width(values: int) -> int:
    """How many numbers stand for one of so many values: about 1.6 · values^0.56, as fastai does, 50 at most."""
    return min(50, round(1.6 * values**0.56))
