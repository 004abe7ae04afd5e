"""Breast cancer, benign or malignant: 569 rows of 30 numbers (UCI, Wolberg et al.; shipped with scikit-learn)."""

from lab.data.base import SampleDataModule, Samples


class BreastCancer(SampleDataModule):
    """Table (N, 30), two classes."""

    def read(self) -> Samples:
        """All 569 rows."""
        from sklearn.datasets import load_breast_cancer

        source = load_breast_cancer()
        return Samples(source.data, source.target, class_names=[str(name) for name in source.target_names])
