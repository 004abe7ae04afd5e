"""Digits as their outlines: real sequences of unequal length, from the images that come with scikit-learn."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.data.base import SampleDataModule, Samples

LEVEL = 8.0  # half of the darkest value


class DigitOutlines(SampleDataModule):
    """Sequences (3, L) of 20 to 60 points, ten classes: the outlines of the 1,797 digits of 8 × 8 pixels.

    An outline is the contour at half intensity, as matplotlib draws it (contourpy); a digit may have several, the
    longest first. Each point is its column, its row, and 1 where an outline begins, else 0.
    """

    def read(self) -> Samples:
        """All digits."""
        from sklearn.datasets import load_digits

        source = load_digits()
        outlines = [outline(image) for image in source.images]
        return Samples(outlines, source.target, class_names=[str(d) for d in range(10)])


def outline(image: NDArray[Any]) -> NDArray[np.float32]:
    """The points (3, L) of the contours of an image (H, W), which is surrounded by one more pixel of 0."""
    from contourpy import contour_generator

    found: Any = contour_generator(z=np.pad(image, 1)).lines(LEVEL)
    lines = sorted(found, key=len, reverse=True)  # of the same length: in the order found
    begins = np.concatenate([np.arange(len(line)) == 0 for line in lines])
    return np.column_stack([np.concatenate(lines), begins]).T.astype(np.float32)
