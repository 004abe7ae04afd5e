"""Forecasts without a model: the last value, or the values of one season ago."""

import torch
from torch import Tensor

LAST_VALUE = 1  # season of the last-value forecast


def seasonal(x: Tensor, targets: int, horizon: int, season: int) -> Tensor:
    """The values one season before each of the next `horizon` steps, of the first `targets` channels.

    A `season` of one step repeats the last value. Shapes: x (N, C, window) to (N, targets · horizon).
    """
    steps = x.shape[2] - season + torch.arange(horizon, device=x.device) % season
    return x[:, :targets, steps].flatten(1)


def described(season: int) -> str:
    """What the forecast is called in tables."""
    return "last value" if season == LAST_VALUE else f"last season ({season} steps)"
