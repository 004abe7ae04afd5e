"""MNIST-1D: ten digit-like shapes as noisy sequences of 40 (Greydanus & Kobak 2020, arXiv 2011.14439)."""

import random
from importlib.metadata import version

import numpy as np

from lab.bounds import Count, Fraction, PositiveInt
from lab.data.base import SampleDataModule, Samples
from lab.data.cache import cached


class MNIST1D(SampleDataModule):
    """Sequences (N, 1, 40), ten classes; the generator's own 4,000 for training and 1,000 for testing."""

    def __init__(
        self,
        batch_size: PositiveInt = 64,
        val_fraction: Fraction = 0.1,
        num_workers: Count = 0,
        seed: int = 0,
    ):
        super().__init__(batch_size, val_fraction, num_workers=num_workers, seed=seed)

    def read(self) -> Samples:
        """The sequences of the mnist1d package's generator with its default arguments."""
        arrays = cached(f"mnist1d-{version('mnist1d')}", _generate)
        return Samples(arrays["x"], arrays["y"], test_size=1_000, class_names=[str(d) for d in range(10)])


def _generate() -> dict[str, np.ndarray]:
    """Generate the sequences, about two seconds; the package seeds global generators, which are put back."""
    from mnist1d.data import get_dataset_args, make_dataset

    random_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        made = make_dataset(get_dataset_args())
    finally:
        random.setstate(random_state)
        np.random.set_state(numpy_state)
    return {
        "x": np.concatenate([made["x"], made["x_test"]]).astype(np.float32)[:, None],
        "y": np.concatenate([made["y"], made["y_test"]]),
    }
