"""A weighted mean of a network's forecast and of naive ones, whose shares are chosen on the validation split.

A mean of forecasts is seldom worse than the better one, and often better than both (Bates & Granger 1969).
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

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
TIED = 1e-9  # difference of two errors that are the same, as a share of the forecasts' own
NETWORK = "network"


class CombinedWithNaive(nn.Module):
    """The mean of a network's forecast and of those without a model, of each `season`, weighted by `shares`.

    Until they are chosen, the network has all of it. They are not stored with its weights, but chosen anew for those
    that are loaded. Shapes: (N, C, window) to (N, targets · horizon).
    """

    def __init__(self, architecture: nn.Module, targets: int, horizon: int, seasons: Sequence[int]):
        super().__init__()
        self.architecture = architecture
        self.targets = targets
        self.horizon = horizon
        self.seasons = tuple(seasons)
        self.shares = (1.0, *(0.0 for _ in seasons))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, window) to values (N, targets · horizon)."""
        if self.shares[0] == 1:
            return self.architecture(x)
        return _mean(self.shares, [self.architecture(x), *self.naive(x)])

    def naive(self, x: Tensor) -> list[Tensor]:
        """The forecast of each season, (N, targets · horizon)."""
        return [baselines.seasonal(x, self.targets, self.horizon, season) for season in self.seasons]

    def named_shares(self) -> dict[str, float]:
        """The shares by what has them."""
        return dict(zip((NETWORK, *map(baselines.described, self.seasons)), self.shares, strict=True))


def _mean(shares: Sequence[float], forecasts: Sequence[Tensor]) -> Tensor:
    return torch.stack([share * forecast for share, forecast in zip(shares, forecasts, strict=True)]).sum(0)


def combine_with_naive(network: nn.Module, data: DataModule) -> nn.Module:
    """The network of a forecast, combined; raises LabError for other data, and where it predicts quantiles."""
    if not isinstance(data, SeriesDataModule):
        raise LabError(f"combine_with_naive: is for forecasts of a series, the task is {data.task}; leave it out")
    if data.sizes.levels > 1:
        raise LabError("combine_with_naive: is for values, not for the quantiles of loss: quantile; set it to false")
    return CombinedWithNaive(network, data.targets, data.horizon, data.seasons)


def combined(network: nn.Module) -> list[CombinedWithNaive]:
    """The networks inside one, such as its members, whose forecasts are combined with naive ones."""
    return [module for module in network.modules() if isinstance(module, CombinedWithNaive)]


def shares_of(network: nn.Module) -> Mapping[str, float]:
    """The shares by what has them; none where nothing is combined."""
    return next((part.named_shares() for part in combined(network)), {})


def described(network: nn.Module) -> str:
    """The shares in words; "" where nothing is combined."""
    shares = shares_of(network)
    said = ", ".join(f"{name} {share:.1f}" for name, share in shares.items())
    return f"{said} (best mean squared error on the validation split)" if shares else ""


def choose_shares(network: nn.Module, batches: Iterable[Batch]) -> None:
    """Choose the shares of all `combined` networks, which are the same, for the present weights on these batches."""
    parts = combined(network)
    if not parts:
        return
    parameter, training = next(network.parameters()), network.training

    def forecasts(x: Tensor) -> list[Tensor]:
        moved = x.to(parameter)
        own = torch.stack([part.architecture(moved) for part in parts]).double().mean(0)
        return [own, *parts[0].naive(moved)]

    network.eval()
    chosen = best_shares(_products(forecasts, batches))
    network.train(training)
    for part in parts:
        part.shares = chosen


def naive_mean(network: nn.Module, batches: Iterable[Batch]) -> Callable[[Tensor], Tensor]:
    """The best mean of the naive forecasts of a combined network, without the network's: (N, C, window) to (N, T)."""
    part = combined(network)[0]
    shares = best_shares(_products(part.naive, batches))
    return lambda x: _mean(shares, part.naive(x))


@torch.no_grad()
def _products(forecasts: Callable[[Tensor], list[Tensor]], batches: Iterable[Batch]) -> NDArray[np.float64]:
    """The sums (K, K) of the products of the errors of K forecasts."""
    each = []
    for x, y, *_ in batches:
        values = torch.stack([forecast.double() for forecast in forecasts(x)])
        errors = values - y.to(values.device).double()
        each.append(torch.einsum("knt,lnt->kl", errors, errors))
    return torch.stack(each).sum(0).cpu().numpy()


def best_shares(products: NDArray[np.float64]) -> tuple[float, ...]:
    """The shares of K forecasts of which the mean squared error of the mean is least.

    `products` (K, K) are the sums of the products of their errors. Of equally good shares those with the most of the
    first forecast, which also has all where an error is not finite.
    """
    tenths = itertools.product(range(TENTHS, -1, -1), repeat=len(products))
    shares = np.array([each for each in tenths if sum(each) == TENTHS]) / TENTHS
    if not np.isfinite(products).all():
        return tuple(shares[0].tolist())
    squared = np.einsum("sk,kl,sl->s", shares, products, shares)
    best = squared <= squared.min() + TIED * products.trace()
    return tuple(shares[best.argmax()].tolist())
