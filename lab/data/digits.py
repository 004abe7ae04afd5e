"""Handwritten digits: 1,797 grey images of 8×8, ten classes (UCI; shipped with scikit-learn)."""

from lab.data.base import SampleDataModule, Samples


class Digits(SampleDataModule):
    """Images (N, 1, 8, 8), ten classes."""

    def read(self) -> Samples:
        """All 1,797 images."""
        from sklearn.datasets import load_digits

        source = load_digits()
        return Samples(source.images[:, None], source.target, class_names=[str(d) for d in range(10)])
