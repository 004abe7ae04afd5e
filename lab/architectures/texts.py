"""Networks for texts, of which each position is an embedded token: the mean of all, and convolutions."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from lab.architectures.masking import masked, mean_of_real, without_padding
from lab.config.types import Count, PositiveInt, Probability


class Bag(nn.Module):
    """The mean over the positions that are not NaN, and a linear layer (Joulin et al. 2016, arXiv 1607.01759).

    The order of the steps does not count. With `hidden`, a layer of so many units lies between.
    Shapes: (N, in_channels, L) to (N, out_features), for any L.
    """

    input_shape = ("N", "C", "L")
    masks_padding = True
    takes_mean = True  # over the steps, which an input adapter may compute faster

    def __init__(self, in_channels: int, out_features: int, hidden: Count = 0, dropout: Probability = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        between = [nn.Linear(in_channels, hidden), nn.ReLU(), nn.Dropout(dropout)] if hidden else []
        self.head = nn.Sequential(*between, nn.Linear(hidden or in_channels, out_features))

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, L) to logits or values (N, out_features)."""
        return self.head(self.dropout(mean_of_real(*without_padding(x))))


class TextCNN(nn.Module):
    """Convolutions over 3, 4 and 5 steps, the maximum of each over time (Kim 2014, arXiv 1408.5882).

    `widths` are the numbers of steps, `channels` the features that each of them finds. Positions that are NaN in x
    do not count. Shapes: (N, in_channels, L) to (N, out_features), for any L.
    """

    input_shape = ("N", "C", "L")
    masks_padding = True

    def __init__(
        self,
        in_channels: int,
        out_features: int,
        channels: PositiveInt = 100,
        widths: list[PositiveInt] | tuple[PositiveInt, ...] = (3, 4, 5),
        dropout: Probability = 0.5,
    ):
        super().__init__()
        if not widths:
            raise ValueError("model.widths needs at least one number of steps")
        self.widths = tuple(widths)
        self.convolutions = nn.ModuleList(nn.Conv1d(in_channels, channels, width) for width in widths)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels * len(widths), out_features)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, L) to logits or values (N, out_features)."""
        x, real = without_padding(x)
        found = [
            # A window begins at every step, so that a text shorter than it has one too; relu is never below 0.
            masked(convolution(pad(x, (0, width - 1))).relu(), real).amax(2)
            for convolution, width in zip(self.convolutions, self.widths, strict=True)
        ]
        return self.head(self.dropout(torch.cat(found, dim=1)))
