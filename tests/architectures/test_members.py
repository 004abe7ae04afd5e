"""The mean of several networks in raw outputs is that of their probabilities, or values; random numbers are alike."""

import numpy as np
import pytest
import torch
from scipy.special import expit, logit, softmax
from torch import Tensor, nn

from lab.architectures.members import Members, as_one, mean_of_classes, mean_of_values, mean_of_yes, networks_of


def drawn(*shape: int, scale: float = 3.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [scale * torch.randn(*shape, generator=generator, dtype=torch.float64) for _ in range(4)]


@pytest.mark.parametrize("shape", [(7, 5), (3, 11, 6)])
def test_of_classes_it_is_the_logarithm_of_the_mean_softmax(shape: tuple[int, ...]) -> None:
    logits = drawn(*shape)
    expected = np.log(np.mean([softmax(each.numpy(), axis=1) for each in logits], axis=0))
    np.testing.assert_allclose(mean_of_classes(logits).numpy(), expected, rtol=1e-12)


def test_of_a_yes_or_no_it_is_the_logit_of_the_mean_probability() -> None:
    logits = drawn(7, 3)
    expected = logit(np.mean([expit(each.numpy()) for each in logits], axis=0))
    np.testing.assert_allclose(mean_of_yes(logits).numpy(), expected, rtol=1e-9)


def test_of_values_it_is_their_mean() -> None:
    values = drawn(7, 3)
    np.testing.assert_allclose(mean_of_values(values).numpy(), np.mean([each.numpy() for each in values], axis=0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sure_networks_lose_no_digits(dtype: torch.dtype) -> None:
    """Of sure and equal networks the mean is what each says: 1 - sigmoid(90) is 0 in float32, its logarithm is not."""
    sure = [torch.tensor([[90.0, -70.0]], dtype=dtype)] * 3
    torch.testing.assert_close(mean_of_yes(sure), torch.tensor([[90.0, -70.0]]))
    torch.testing.assert_close(mean_of_classes(sure), torch.tensor([[0.0, -160.0]]))


def test_in_training_each_gives_its_own_outputs_and_in_evaluation_their_mean() -> None:
    several = Members([nn.Linear(3, 2) for _ in range(3)], mean_of_values)
    x = torch.randn(5, 3)
    outputs = several(x)
    for one, network in zip(outputs, networks_of(several), strict=True):
        assert torch.equal(one, network(x))
    assert torch.equal(several.eval()(x), torch.stack(outputs).mean(0))
    assert torch.equal(as_one(several, outputs), several(x))


def test_the_first_draws_the_random_numbers_of_a_network_alone_and_the_others_their_own() -> None:
    torch.manual_seed(1)
    alone = nn.Dropout()(torch.ones(100))
    torch.manual_seed(1)
    first, second, third = Members([nn.Dropout() for _ in range(3)], mean_of_values)(torch.ones(100))
    assert torch.equal(first, alone)
    assert not torch.equal(second, first)
    assert not torch.equal(third, second)
