"""What a data module of one's own may return, and the line for what it may not."""

from typing import Any

import numpy as np
import pytest
import torch

from lab.data.samples import Samples, check
from lab.errors import LabError

X = np.zeros((5, 2), np.float32)
CLASSES = np.array([0, 1, 0, 1, 1])
VALUES = np.zeros((5, 1))


@pytest.mark.parametrize(
    "samples",
    [
        Samples(X, CLASSES, class_names=("a", "b")),
        Samples(X, CLASSES.astype(float), class_names=("a", "b")),
        Samples(X, VALUES),
        Samples(X, np.zeros((5, 3), int), test_size=2),
        Samples(X, np.eye(5, 3), class_names=("a", "b", "c")),
        Samples(X, CLASSES, class_names=("low", "mid", "high"), ordered=True),
    ],
)
def test_samples_that_can_be_trained_on_are_returned(samples: Samples) -> None:
    assert check(samples, "Mine") is samples


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (None, r"data: Mine.read\(\) must return lab.data.base.Samples, not NoneType"),
        ((X, CLASSES), "not tuple"),
        (Samples([[1, 2]] * 5, VALUES), "gives x as list; give a NumPy array"),
        (Samples(torch.zeros(5, 2), VALUES), "gives x as Tensor; give a NumPy array"),
        (Samples(X, [0, 1, 0, 1, 1], class_names=("a", "b")), "gives y as list"),  # type: ignore[arg-type]
        (Samples(X[:, 0], VALUES), r"gives x of shape \(5,\); a sample needs at least one dimension"),
        (Samples(X, VALUES[:4]), "gives 5 samples x but 4 targets y"),
        (Samples(X, VALUES, test_size=3), "gives 5 samples; at least 6 are needed"),
        (Samples(X, VALUES, test_size=-1), "gives test_size -1; it must be 0 or more"),
        (Samples(X, VALUES, target_names=("a", "b")), "gives 2 target names for 1 targets"),
        (Samples(X, CLASSES, class_names=("a", "a")), "they must be different texts"),
        (Samples(X, CLASSES, class_names=(1, 2)), "they must be different texts"),  # type: ignore[arg-type]
        (Samples(X, CLASSES * 0, class_names=("a",)), "a single class; there is nothing to tell apart"),
        (Samples(X, CLASSES + 0.5, class_names=("a", "b")), "it must be whole numbers"),
        (Samples(X, CLASSES[:, None], class_names=("a", "b")), r"y of shape \(5, 1\)"),
        (Samples(X, CLASSES + 1, class_names=("a", "b")), "class numbers from 1 to 2, but names for 0 to 1"),
        (Samples(X, CLASSES - 1, class_names=("a", "b")), "class numbers from -1 to 0"),
        (Samples(X, np.eye(5, 3) * 2, class_names=("a", "b", "c")), r"gives y\[0, 0\] = 2.0; labels are 0 or 1"),
        (Samples(X, np.eye(5, 3), class_names=("a", "b")), r"gives 2 class names \['a', 'b'\] for 3 labels"),
        (Samples(X, np.eye(5, 2), class_names=("a", "b"), ordered=True), "class names in order, but labels have none"),
        (Samples(X, CLASSES, class_names=("a", "b"), ordered=True), "three are the fewest that have an order"),
        (Samples(X, VALUES, ordered=True), "no class names, but says that they are ordered"),
        (Samples(X, VALUES[:, 0]), r"values \(N, T\), such as y\[:, None\]"),
        (Samples(X, np.array([["a"]] * 5)), "without class names it must be numbers"),
        (Samples(X, np.array([[0], [0], [np.nan], [0], [0]])), r"y\[2, 0\] = nan; all values must be finite"),
    ],
)
def test_anything_else_is_refused_in_one_line(samples: Any, message: str) -> None:
    with pytest.raises(LabError, match=message) as refused:
        check(samples, "Mine")
    assert len(refused.value.lines) == 1
