"""Diabetes progression after one year: 442 rows of 10 numbers (Efron et al. 2004; shipped with scikit-learn)."""

import numpy as np

from lab.bounds import Count, Fraction, PositiveInt, Probability
from lab.data.base import SampleDataModule, Samples
from lab.data.datasets import ArrayDataset

OUTLIER = 10.0  # standard deviations of the target


class Diabetes(SampleDataModule):
    """Table (N, 10), one value to predict.

    `outlier_fraction` of the training targets are put far off, as a wrong unit or a slipped digit would.
    """

    def __init__(
        self,
        batch_size: PositiveInt = 64,
        val_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.2,
        num_workers: Count = 0,
        outlier_fraction: Probability = 0.0,
        seed: int = 0,
    ):
        super().__init__(batch_size, val_fraction, test_fraction, num_workers, seed)
        self.outlier_fraction = outlier_fraction

    def read(self) -> Samples:
        """All 442 rows, in their original units."""
        from sklearn.datasets import load_diabetes

        source = load_diabetes(scaled=False)
        return Samples(source.data, source.target[:, None])

    def _prepare(self) -> None:
        super()._prepare()
        train = self.splits["train"]
        assert isinstance(train, ArrayDataset)
        drawn = np.random.default_rng(self.seed).permutation(len(train))
        train.y[drawn[: round(self.outlier_fraction * len(train))]] += OUTLIER
