"""Integrated gradients and occlusion, against closed forms."""

from pathlib import Path

import pytest
import torch
from torch import nn

from lab.explanations.attributions import attribute, occluded
from lab.explanations.trained import Trained, load
from lab.tracking.reading import stored_runs


def trained_run(name: str) -> Trained:
    return load(stored_runs.find(name))


def test_of_a_linear_network_both_are_weight_times_input(folder: Path) -> None:
    trained = trained_run("digits")
    x, _ = trained.samples("val", torch.arange(1))
    weights = trained.module(torch.eye(64).reshape(64, 1, 8, 8)) - trained.module(torch.zeros(1, 1, 8, 8))
    found = attribute(trained, x[0], predicted=4)
    expected = weights[:, 4].reshape(1, 8, 8) * x[0]
    assert occluded((1, 8, 8)) == ((1, 1, 1), (1, 1, 1))
    torch.testing.assert_close(torch.from_numpy(found.gradients), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.from_numpy(found.occlusion), expected, rtol=1e-4, atol=1e-5)
    assert found.of == "4"


@pytest.mark.parametrize("name", ["pictures", "waves"])
def test_integrated_gradients_add_up_to_the_difference_of_the_outputs(folder: Path, name: str) -> None:
    trained = trained_run(name)
    x, _ = trained.samples("val", torch.arange(1))
    found = attribute(trained, x[0], predicted=1)
    difference = found.output - found.baseline_output
    assert found.gradients.sum() == pytest.approx(difference, rel=0.02, abs=1e-3)
    assert found.gradients.sum() - difference == pytest.approx(found.gap, abs=1e-4)


def test_padding_adds_nothing(folder: Path) -> None:
    trained = trained_run("digits")
    network = trained.module.architecture

    class Masked(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return network(torch.where(x.isnan(), 0.0, x))

    trained.module.architecture = Masked()
    x, _ = trained.samples("val", torch.arange(1))
    padded = x[0].clone()
    padded[..., 5:] = torch.nan
    short, found = attribute(trained, x[0], 4), attribute(trained, padded, 4)
    assert (found.gradients[..., 5:] == 0).all()
    assert (found.occlusion[..., 5:] == 0).all()
    assert found.gradients[..., :5] == pytest.approx(short.gradients[..., :5], abs=1e-5)  # of a linear network
    assert found.gap == pytest.approx(0, abs=1e-4)


def test_two_classes_share_one_output_with_opposite_signs(folder: Path) -> None:
    trained = trained_run("pictures")
    x, _ = trained.samples("val", torch.arange(1))
    first, second = (attribute(trained, x[0], predicted) for predicted in (0, 1))
    assert (first.gradients == -second.gradients).all()
    assert (first.of, second.of) == ("dark", "light")


def test_occlusion_is_the_fall_of_the_output_under_a_window(folder: Path) -> None:
    """Windows of 3 of 30 positions, each shifted by 1: the mean over the windows that cover a position."""
    trained = trained_run("waves")
    x, _ = trained.samples("val", torch.arange(1))
    assert occluded((1, 30)) == ((1, 3), (1, 1))
    falls, covered = torch.zeros(30), torch.zeros(30)
    for start in range(28):
        hidden = x.clone()
        hidden[..., start : start + 3] = 0
        falls[start : start + 3] += (trained.module(x) - trained.module(hidden))[0, 1]
        covered[start : start + 3] += 1
    found = attribute(trained, x[0], predicted=1)
    torch.testing.assert_close(torch.from_numpy(found.occlusion[0]), falls / covered, rtol=1e-4, atol=1e-5)
