"""Sea surface temperatures off Peru, month by month: the series in which El Niño shows."""

import numpy as np

from lab.config.types import Fraction, PositiveInt
from lab.data.time_series.series_base import SeriesDataModule, Steps


class ElNino(SeriesDataModule):
    """Windows (N, 1, window) of monthly temperatures, to the next `horizon` months (N, horizon), in °C.

    1950 to 2010, Niño 1+2 region. Data: statsmodels' elnino (NOAA).
    """

    def __init__(
        self,
        window: PositiveInt = 24,
        horizon: PositiveInt = 6,
        relative: bool = False,
        batch_size: PositiveInt = 32,
        val_fraction: Fraction = 0.2,
        test_fraction: Fraction = 0.2,
        seed: int = 0,
    ):
        super().__init__(window, horizon, relative, batch_size, val_fraction, test_fraction, 0, seed)

    def read(self) -> Steps:
        """All 732 months."""
        from statsmodels.datasets import elnino

        months = elnino.load_pandas().data.to_numpy(dtype=np.float64)[:, 1:]
        return Steps(months.reshape(1, -1), ("temperature",), season=12)
