"""The losses and measures of the shipped modules, against plain loops."""

import numpy as np
import pytest
import torch
from scipy import stats
from shipped import PROJECT

pytestmark = pytest.mark.usefixtures("workplace")


def example(name: str) -> object:
    import importlib

    assert (PROJECT / "experiments" / f"{name}.py").exists()
    return importlib.import_module(f"experiments.{name}")


def samples(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_energy_distance_is_that_of_its_definition() -> None:
    x, y = samples(7, 3), samples(5, 3) + 0.5
    between = np.mean([np.linalg.norm(a - b) for a in x.numpy() for b in y.numpy()])
    within = [
        np.mean([np.linalg.norm(a - b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j])
        for z in (x.numpy(), y.numpy())
    ]
    assert float(example("gan").energy_distance(x, y)) == pytest.approx(2 * between - sum(within))  # type: ignore[attr-defined]


def test_the_energy_distance_of_many_samples_is_scipys() -> None:
    x, y = samples(2_000, 1), samples(2_000, 1).flip(0) * 2 + 1
    expected = stats.energy_distance(x.flatten().numpy(), y.flatten().numpy()) ** 2
    assert float(example("gan").energy_distance(x, y)) == pytest.approx(expected, abs=0.003)  # type: ignore[attr-defined]


def test_the_contrastive_loss_is_that_of_a_plain_loop() -> None:
    views = samples(8, 4)  # of four samples
    z = (views / views.norm(dim=1, keepdim=True)).numpy()
    losses = []
    for i in range(8):
        weights = {j: np.exp(z[i] @ z[j] / 0.2) for j in range(8) if j != i}
        losses.append(-np.log(weights[(i + 4) % 8] / sum(weights.values())))
    assert float(example("contrastive").nt_xent(views, 0.2)) == pytest.approx(np.mean(losses))  # type: ignore[attr-defined]
