"""The perceptron for tables against plain loops, and what its parts promise."""

import math

import numpy as np
import pytest
import torch

from lab.architectures.realmlp import EmbeddedNumbers, RealMLP, smooth_clip


def test_inputs_are_clipped_smoothly() -> None:
    x = np.array([-1e6, -3.0, -0.01, 0.0, 0.5, 3.0, 40.0])
    expected = [value / math.sqrt(1 + (value / 3) ** 2) for value in x]
    np.testing.assert_allclose(smooth_clip(torch.from_numpy(x)), expected, rtol=1e-12)
    assert smooth_clip(torch.tensor([1e6, -1e6])).tolist() == [3.0, -3.0]


def test_numbers_are_embedded_by_cosines_and_the_others_follow() -> None:
    torch.manual_seed(0)
    layer = EmbeddedNumbers(in_features=4, numbers=[0, 2], embedding=3, frequency=0.5)
    x = torch.randn(5, 4)
    out = layer(x).detach()
    assert out.shape == (5, layer.width) == (5, 2 * 3 + 2)
    frequency, phase, weight, bias = (
        0.1 * each.detach().numpy() for each in (layer.frequency, layer.phase, layer.weight, layer.bias)
    )
    for row in range(5):
        for place, column in enumerate([0, 2]):
            z = float(x[row, column])
            waves = [math.cos(2 * math.pi * f * z + b) for f, b in zip(frequency[place], phase[place], strict=True)]
            for feature in range(2):
                expected = sum(w * wave for w, wave in zip(weight[place, :, feature], waves, strict=True))
                got = float(out[row, 3 * place + 1 + feature])
                assert got == pytest.approx(expected + bias[place, feature], abs=1e-5)
            assert float(out[row, 3 * place]) == pytest.approx(z)
    assert torch.equal(out[:, 6:], x[:, [1, 3]])


@pytest.mark.parametrize("numbers", [None, []])
def test_without_numbers_or_with_one_feature_nothing_is_embedded(numbers: list[int] | None) -> None:
    x = torch.randn(5, 4)
    layer = EmbeddedNumbers(4, numbers, 4 if numbers == [] else 1, 0.1)
    assert torch.equal(layer(x), x)
    assert not list(layer.parameters())


def test_the_embedding_learns_a_tenth_as_fast_as_others_with_adam() -> None:
    """One step of Adam is as long as the learning rate, whatever the gradient; seen in the values it is 0.1 × it."""
    layer = EmbeddedNumbers(3, None, 4, 0.1)
    before = {name: 0.1 * value.detach().clone() for name, value in layer.named_parameters()}
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    layer(torch.randn(6, 3)).square().sum().backward()
    optimizer.step()
    for name, value in layer.named_parameters():
        moved = (0.1 * value.detach() - before[name]).abs()
        torch.testing.assert_close(moved, torch.full_like(moved, 0.001), rtol=1e-3, atol=1e-7)


def test_it_starts_as_its_linear_layer_of_inputs_that_are_not_clipped() -> None:
    network = RealMLP(in_features=5, out_features=2, hidden=8)
    x = 100 * torch.randn(3, 5)
    assert torch.equal(network(x), network.wide(x))
