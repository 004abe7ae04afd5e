"""Which inputs a prediction rests on: integrated gradients and occlusion, by captum."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab.errors import install
from lab.explanations.trained import Trained

STEPS = 100  # of the integral
TOGETHER, OCCLUDED = 256, 16  # samples that go through the network at once
PARTS = 10  # occluded windows along a side, without their overlaps
HINT = f"captum is not installed: {install('explain')}"


@dataclass(frozen=True)
class Attribution:
    """What each value of one sample (C, ...) adds to an `output` of the network, against `baseline_output`.

    The baseline is the mean of the training data. `gradients` (Sundararajan et al. 2017, arXiv 1703.01365) add up to
    the difference of the two outputs, but for `gap`, the error of the integral. `occlusion` (Zeiler & Fergus 2014,
    arXiv 1311.2901) is how much the output falls where a window is replaced by the baseline.
    """

    of: str
    output: float
    baseline_output: float
    gap: float
    gradients: NDArray[np.float32]
    occlusion: NDArray[np.float32]


def available() -> bool:
    """Whether captum is installed."""
    return find_spec("captum") is not None


def attribute(trained: Trained, sample: Tensor, predicted: int) -> Attribution:
    """Explain the output for one standardised sample (C, ...): the logit of the class or label, or the first value.

    Of ordered classes it is the one output of the network, which speaks for the higher ones.

    Raises what captum raises for a network that has no gradient.
    """
    from captum.attr import IntegratedGradients, Occlusion  # type: ignore[import-untyped]

    x, output = sample[None], _output(trained, predicted)
    baseline = 0 * x  # NaN where x is padded with it
    gradients = IntegratedGradients(output).attribute(x, baseline, n_steps=STEPS, internal_batch_size=TOGETHER)
    window, stride = occluded(tuple(sample.shape))
    occlusion = Occlusion(output).attribute(
        x, window, strides=stride, baselines=baseline, perturbations_per_eval=OCCLUDED
    )
    with torch.no_grad():
        whole, empty = float(output(x)), float(output(baseline))
    added = _array(gradients)
    gap = float(added.sum(dtype=np.float64)) - (whole - empty)
    return Attribution(_name(trained, predicted), whole, empty, gap, added, _array(occlusion))


def occluded(shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The window that is occluded in a sample (C, ...), all channels of it, and its stride: half of it."""
    sides = [max(1, side // PARTS) for side in shape[1:]]
    return (shape[0], *sides), (shape[0], *(max(1, side // 2) for side in sides))


def _output(trained: Trained, predicted: int) -> Callable[[Tensor], Tensor]:
    """The output that speaks for a prediction, (N, ...) to (N,); two classes share one logit, with opposite signs."""
    module = trained.module
    single = trained.data.task == "classification" and trained.data.sizes.classes == 2
    sign, column = (1.0 if predicted else -1.0, 0) if single else (1.0, predicted)
    column = 0 if trained.data.task == "ordinal" else column

    def output(x: Tensor) -> Tensor:
        return sign * module(x)[:, column]

    return output


def _name(trained: Trained, predicted: int) -> str:
    data = trained.data
    if data.task == "ordinal":
        return "the higher classes"
    return data.class_names[predicted] if data.class_names else next(iter(data.target_names), "output 1")


def _array(values: Any) -> NDArray[np.float32]:
    """The attribution of one sample; padding adds nothing."""
    return values.detach()[0].nan_to_num(0.0).numpy().astype(np.float32)
