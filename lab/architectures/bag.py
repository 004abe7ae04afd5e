"""The mean of a sequence's steps: of a text, of the embeddings of its words."""

from torch import Tensor, nn

from lab.architectures.padding import mean_of_real, without_padding
from lab.config.types import Count, Probability


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
