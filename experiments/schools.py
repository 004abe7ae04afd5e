"""California's school districts: the share of pupils above the national median in mathematics, by district."""

import numpy as np

from lab.config.types import Fraction, PositiveInt
from lab.data.base import SampleDataModule, Samples


class Schools(SampleDataModule):
    """Twelve figures of each of 303 districts (N, 12), to the percentage of its pupils above the median (N, 1).

    A district counts as much as it has pupils: a thousand in the mean. Data: statsmodels' star98 (Gill 2000).
    """

    def __init__(
        self,
        batch_size: PositiveInt = 32,
        val_fraction: Fraction = 0.2,
        test_fraction: Fraction = 0.3,
        weighted: bool = True,
        seed: int = 0,
    ):
        super().__init__(batch_size, val_fraction, test_fraction, seed=seed)
        self.weighted = weighted

    def read(self) -> Samples:
        """All districts; products of the figures, which the source has too, are left to the network."""
        from statsmodels.datasets import star98

        table = star98.load_pandas().data.to_numpy(dtype=np.float64)
        above, pupils = table[:, 0], table[:, 0] + table[:, 1]
        share = 100 * above / pupils
        weight = pupils / 1000 if self.weighted else None
        return Samples(table[:, 2:14], share[:, None], target_names=["above_median"], weight=weight)
