"""The transforms: the same shape, what each may change, and padding that stays at the end."""

import math

import pytest
import torch
from torch import Tensor

from lab.data.augmentation.transforms import Flip, Jitter, Mask, Scaling, Shift

SEQUENCE = torch.arange(1.0, 21.0).reshape(2, 10)
IMAGE = torch.arange(1.0, 73.0).reshape(2, 6, 6)
ALL = [Flip(), Shift(3), Jitter(), Scaling(), Mask(0.5)]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def draws(transform: torch.nn.Module, x: Tensor, count: int = 200) -> list[Tensor]:
    return [transform(x) for _ in range(count)]


@pytest.mark.parametrize("transform", ALL, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("x", [SEQUENCE, IMAGE], ids=["sequence", "image"])
def test_shape_and_type_stay_and_the_sample_itself_is_not_written_to(transform: torch.nn.Module, x: Tensor) -> None:
    before = x.clone()
    changed = draws(transform, x)
    assert {(each.shape, each.dtype) for each in changed} == {(x.shape, x.dtype)}
    assert torch.equal(x, before)
    assert any(not torch.equal(each, x) for each in changed)


@pytest.mark.parametrize("transform", ALL, ids=lambda each: type(each).__name__)
def test_the_padding_of_a_sequence_stays_at_its_end(transform: torch.nn.Module) -> None:
    padded = SEQUENCE.clone()
    padded[:, 7:] = math.nan
    for changed in draws(transform, padded, 50):
        assert torch.equal(changed.isnan(), padded.isnan())


def test_a_flip_mirrors_about_half_of_the_samples() -> None:
    mirrored = sum(torch.equal(each, IMAGE.flip(-1)) for each in draws(Flip(), IMAGE))
    assert 70 < mirrored < 130
    found = {tuple(each.flatten().tolist()) for each in draws(Flip("both"), IMAGE)}
    assert found == {tuple(IMAGE.flip(dims).flatten().tolist()) for dims in ([], [1], [2], [1, 2])}


def test_a_sequence_is_not_turned_upside_down() -> None:
    with pytest.raises(ValueError, match="axis vertical needs an image"):
        Flip("vertical")(SEQUENCE)


def test_a_shift_repeats_the_edge() -> None:
    row = SEQUENCE[:1]
    found = {tuple(each[0].tolist()) for each in draws(Shift(1), row)}
    values = row[0].tolist()
    assert found == {tuple(values), (1.0, *values[:-1]), (*values[1:], 10.0)}


def test_jitter_adds_noise_of_its_standard_deviation() -> None:
    noise = Jitter(0.05)(torch.zeros(4, 10_000))
    assert float(noise.mean()) == pytest.approx(0, abs=1e-3)
    assert float(noise.std()) == pytest.approx(0.05, abs=1e-3)


def test_scaling_multiplies_each_channel_by_one_factor() -> None:
    factors = torch.stack(draws(Scaling(0.1), SEQUENCE, 2_000)) / SEQUENCE
    torch.testing.assert_close(factors, factors[:, :, :1].expand_as(factors))
    assert float(factors[:, :, 0].std()) == pytest.approx(0.1, abs=0.005)
    assert not torch.equal(factors[:, 0], factors[:, 1])


def test_a_mask_sets_one_span_of_all_channels_to_zero() -> None:
    lengths, anywhere = set(), torch.zeros(10, dtype=torch.bool)
    for changed in draws(Mask(0.5), SEQUENCE):
        hidden = (changed == 0).all(0)
        assert torch.equal(changed[:, ~hidden], SEQUENCE[:, ~hidden])
        places = torch.nonzero(hidden).flatten()
        assert len(places) == 0 or int(places[-1] - places[0]) + 1 == len(places)
        lengths.add(len(places))
        anywhere |= hidden
    assert lengths == {0, 1, 2, 3, 4, 5}
    assert anywhere.all()


def test_a_mask_sets_one_rectangle_of_an_image_to_zero() -> None:
    sizes = set()
    for changed in draws(Mask(0.5), IMAGE, 500):
        rows, columns = ((changed == 0).all(0).any(dim) for dim in (1, 0))
        expected = IMAGE.masked_fill(rows[:, None] & columns, 0)
        assert torch.equal(changed, expected)
        sizes.add((int(rows.sum()), int(columns.sum())))
    assert {(0, 0), (1, 3), (3, 1), (3, 3)} <= sizes
    assert max(sizes) == (3, 3)
