"""Diabetes progression after one year: 442 rows of 10 numbers (Efron et al. 2004; shipped with scikit-learn)."""

from lab.data.base import SampleDataModule, Samples


class Diabetes(SampleDataModule):
    """Table (N, 10), one value to predict."""

    task = "regression"

    def read(self) -> Samples:
        """All 442 rows, in their original units."""
        from sklearn.datasets import load_diabetes

        source = load_diabetes(scaled=False)
        return Samples(source.data, source.target[:, None])
