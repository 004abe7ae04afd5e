"""A weighted mean of a network's forecast and of naive ones, whose shares are chosen on the validation split.

A mean of forecasts is seldom worse than the better one, and often better than both (Bates & Granger 1969).
"""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lab.data.base import DataModule
from lab.data.loaders import Batch
from lab.data.time_series import baselines
from lab.data.time_series.series_base import SeriesDataModule
from lab.errors import LabError

TENTHS = 10  # shares are multiples of a tenth: a short validation split tells no more
TIED = 1 + 1e-9  # ratio of two errors that are the same


class CombinedWithNaive(nn.Module):
    """The mean of a network's forecast and of those without a model, of each `season`, weighted by `shares`.

    Until they are chosen, the network has all of it. Shapes: (N, C, window) to (N, targets · horizon).
    """

    shares: Tensor

    def __init__(self, architecture: nn.Module, targets: int, horizon: int, seasons: Sequence[int]):
        super().__init__()
        self.architecture = architecture
        self.targets = targets
        self.horizon = horizon
        self.seasons = tuple(seasons)
        # Not stored with the weights: they are chosen anew for those that are loaded.
        self.register_buffer("shares", torch.tensor([1.0] + [0.0] * len(seasons)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, window) to values (N, targets · horizon)."""
        return torch.einsum("k,knt->nt", self.shares.to(x), self.forecasts(x))

    def forecasts(self, x: Tensor) -> Tensor:
        """What is combined: the network's forecast, then that of each season, (K, N, targets · horizon)."""
        naive = (baselines.seasonal(x, self.targets, self.horizon, season) for season in self.seasons)
        return torch.stack([self.architecture(x), *naive])


def combine_with_naive(network: nn.Module, data: DataModule) -> nn.Module:
    """The network of a forecast, combined; raises LabError for other data, and where it predicts quantiles."""
    if not isinstance(data, SeriesDataModule):
        raise LabError(f"combine_with_naive: is for forecasts of a series, the task is {data.task}; leave it out")
    if data.sizes.levels > 1:
        raise LabError("combine_with_naive: is for values, not for the quantiles of loss: quantile; leave it out")
    return CombinedWithNaive(network, data.targets, data.horizon, data.seasons)


def combined(network: nn.Module) -> list[CombinedWithNaive]:
    """The networks inside one, such as its members, whose forecasts are combined with naive ones."""
    return [module for module in network.modules() if isinstance(module, CombinedWithNaive)]


@torch.no_grad()
def choose_shares(network: nn.Module, batches: Iterable[Batch]) -> None:
    """Choose the shares of all `combined` networks, which are the same, for the present weights on these batches."""
    parts = combined(network)
    if not parts:
        return
    training = network.training
    network.eval()
    parameter = next(network.parameters())
    errors = []
    for x, y, *_ in batches:
        forecasts = torch.stack([part.forecasts(x.to(parameter)) for part in parts]).mean(0)
        errors.append((forecasts - y.to(parameter)).double().flatten(1).cpu())
    network.train(training)
    chosen = torch.tensor(best_shares(torch.cat(errors, dim=1).numpy()))
    for part in parts:
        part.shares.copy_(chosen)


def best_shares(errors: NDArray[np.float64]) -> tuple[float, ...]:
    """The shares of K forecasts, from their errors (K, n), of which the mean squared error of the mean is least.

    Of equal ones those with the most of the first forecast, which also has all where errors are not finite.
    """
    products = errors @ errors.T / errors.shape[1]
    tenths = itertools.product(range(TENTHS, -1, -1), repeat=len(errors))
    shares = np.array([each for each in tenths if sum(each) == TENTHS]) / TENTHS
    squared = np.einsum("sk,kl,sl->s", shares, products, shares)
    best = squared <= TIED * squared.min()  # none where an error is NaN
    return tuple(shares[best.argmax()].tolist())


def described(network: nn.Module) -> str:
    """The shares in words; "" where nothing is combined."""
    for part in combined(network):
        names = ["network", *map(baselines.described, part.seasons)]
        shares = zip(names, part.shares.tolist(), strict=True)
        said = ", ".join(f"{name} {share:.1f}" for name, share in shares)
        return f"{said} (best mean squared error on the validation split)"
    return ""
