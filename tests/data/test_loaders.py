import pytest
import torch

from lab.data.loaders import ArrayDataset, BatchLoader, EpochOrder, derived_seed


def loader(
    size: int = 10, batch_size: int = 3, seed: int = 1, shuffle: bool = True, drop_last: bool = False
) -> BatchLoader:
    x = torch.arange(size)
    return BatchLoader(ArrayDataset(x, 10 * x), batch_size, EpochOrder(size, seed, shuffle), drop_last)


def epoch(batches: BatchLoader, number: int) -> list[list[int]]:
    batches.sampler.set_epoch(number)
    return [x.tolist() for x, _ in batches]


def test_every_sample_comes_once_per_epoch_with_its_target() -> None:
    samples = [(x, y) for xs, ys in loader() for x, y in zip(xs.tolist(), ys.tolist(), strict=True)]
    assert sorted(samples) == [(i, 10 * i) for i in range(10)]


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    one, other = loader(), loader()
    assert epoch(one, 0) != epoch(one, 1)
    assert epoch(other, 1) == epoch(one, 1)  # without iterating over epoch 0
    assert epoch(loader(seed=2), 0) != epoch(one, 0)


def test_without_shuffling_the_order_is_ascending() -> None:
    assert epoch(loader(shuffle=False), 3) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


@pytest.mark.parametrize(("size", "drop_last", "batches"), [(10, False, 4), (10, True, 3), (9, False, 3), (9, True, 3)])
def test_its_length_is_the_number_of_batches(size: int, drop_last: bool, batches: int) -> None:
    made = loader(size=size, drop_last=drop_last)
    assert len(made) == len(list(made)) == batches


def test_its_position_can_be_saved_in_the_middle_of_an_epoch_and_restored() -> None:
    whole = epoch(loader(), 2)
    interrupted = loader()
    interrupted.sampler.set_epoch(2)
    iterator = iter(interrupted)
    first = [next(iterator)[0].tolist() for _ in range(2)]
    resumed = loader()
    resumed.load_state_dict(interrupted.state_dict())
    rest = [x.tolist() for x, _ in resumed]
    assert first + rest == whole
    assert epoch(resumed, 3) == epoch(loader(), 3)  # only that one epoch was shortened


def test_after_a_whole_epoch_the_position_is_the_start() -> None:
    done = loader()
    list(done)
    assert done.state_dict()["block"] == 0


def test_derived_seeds_differ_by_every_part_of_the_position() -> None:
    seeds = {derived_seed(seed, epoch, kind) for seed in range(10) for epoch in range(10) for kind in range(3)}
    assert len(seeds) == 300
    assert all(0 <= seed < 2**63 for seed in seeds)
