"""Yearly sunspot numbers 1700-2008 (SIDC, Royal Observatory of Belgium; shipped with statsmodels)."""

import numpy as np

from lab.bounds import Count, Fraction, PositiveInt
from lab.data.series_module import SeriesDataModule, Steps


class Sunspots(SeriesDataModule):
    """Windows (N, 1, window) of past years, to the next `horizon` years (N, horizon)."""

    def __init__(
        self,
        window: PositiveInt = 33,
        horizon: PositiveInt = 6,
        relative: bool = False,
        batch_size: PositiveInt = 32,
        val_fraction: Fraction = 0.2,
        test_fraction: Fraction = 0.2,
        num_workers: Count = 0,
        seed: int = 0,
    ):
        super().__init__(window, horizon, relative, batch_size, val_fraction, test_fraction, num_workers, seed)

    def read(self) -> Steps:
        """All 309 years."""
        from statsmodels.datasets import sunspots

        return Steps(sunspots.load_pandas().data["SUNACTIVITY"].to_numpy(dtype=np.float64)[None], ("sunspots",))
