import contextlib
import signal
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from lab.data import loaders
from lab.data.loaders import (
    ArrayDataset,
    BatchLoader,
    EpochOrder,
    LazyDataset,
    SeededLoader,
    WeightedDataset,
    WorkerLoader,
    batch_of,
    derived_seed,
    without_weights,
)
from lab.data.preparation import Scale


def loader(
    size: int = 10,
    batch_size: int = 3,
    seed: int = 1,
    shuffle: bool = True,
    drop_last: bool = False,
    block: int = 1,
) -> BatchLoader:
    x = torch.arange(size)
    return BatchLoader(ArrayDataset(x, 10 * x), batch_size, EpochOrder(size, seed, shuffle), drop_last, block)


@contextlib.contextmanager
def worker_loader(drop_last: bool = False) -> Iterator[WorkerLoader]:
    x = torch.arange(10)
    made = WorkerLoader(ArrayDataset(x, 10 * x), 3, EpochOrder(10, 1, True), drop_last, num_workers=1)
    with contextlib.closing(made):
        yield made


def epoch(batches: SeededLoader, number: int) -> list[list[int]]:
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


@pytest.mark.parametrize("size", [10, 9, 3])  # of 3 there is one batch
def test_after_a_whole_epoch_the_position_is_the_start(size: int) -> None:
    done = loader(size=size)
    list(done)
    assert done.state_dict()["block"] == 0


def test_weights_are_the_third_part_of_a_batch() -> None:
    plain = ArrayDataset(torch.arange(4), 10 * torch.arange(4))
    dataset = WeightedDataset(plain, torch.tensor([0.5, 1.0, 2.0, 3.0]))
    assert [part.tolist() for part in dataset.batch(torch.tensor([3, 1]))] == [[3, 1], [30, 10], [3.0, 1.0]]
    assert [part.tolist() for part in dataset[2]] == [2, 20, 2.0]
    assert [[part.item() for part in each] for each in dataset.__getitems__([3, 1])] == [[3, 30, 3.0], [1, 10, 1.0]]
    assert len(dataset) == 4
    assert without_weights(dataset) is without_weights(plain) is plain


def test_a_dataset_that_gives_one_sample_at_a_time_is_stacked() -> None:
    samples = [(torch.tensor([1.0 * number]), number) for number in range(4)]
    x, y = batch_of(samples, torch.tensor([2, 0]))
    assert (x.tolist(), y.tolist()) == ([[2.0], [0.0]], [2, 0])


def test_derived_seeds_differ_by_every_part_of_the_position() -> None:
    seeds = {derived_seed(seed, epoch, kind) for seed in range(10) for epoch in range(10) for kind in range(3)}
    assert len(seeds) == 300
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_first_derived_seeds_never_change() -> None:
    """Another value would change the order of every stored run."""
    assert [derived_seed(0), derived_seed(1, 2), derived_seed(1, 2, 3)] == [
        7896617691693857887,
        7764949442709860949,
        6498626229777268288,
    ]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("block", [2, 3, 10])
def test_blocks_are_whole_batches_in_the_same_order(block: int, drop_last: bool) -> None:
    single = epoch(loader(batch_size=2, size=9, drop_last=drop_last), 1)
    blocks = loader(batch_size=2, size=9, drop_last=drop_last, block=block)
    expected = [list(chain(*single[first : first + block])) for first in range(0, len(single), block)]
    assert epoch(blocks, 1) == expected
    assert len(blocks) == len(expected)
    assert blocks.batches == len(single)


def test_the_position_counts_blocks_and_names_the_epoch() -> None:
    interrupted = loader()
    assert interrupted.state_dict() == {"epoch": 0, "block": 0}
    interrupted.sampler.set_epoch(5)
    iterator = iter(interrupted)
    next(iterator)
    next(iterator)
    assert interrupted.state_dict() == {"epoch": 5, "block": 2}
    assert interrupted.sampler.epoch == 5


def test_the_position_of_a_loader_without_batches() -> None:
    assert loader(size=2, drop_last=True).state_dict() == {"epoch": 0, "block": 0}


def test_the_epoch_may_be_set_after_the_iterator_was_created() -> None:
    late = loader()
    iterator = iter(late)
    late.sampler.set_epoch(4)
    assert [x.tolist() for x, _ in iterator] == epoch(loader(), 4)


def test_the_order_is_an_iterable_of_all_indices() -> None:
    order = EpochOrder(10, 1, True)
    assert len(order) == 10
    assert list(order) == order.indices().tolist() != sorted(order)


@pytest.mark.parametrize("drop_last", [False, True])
def test_worker_processes_give_the_same_batches_and_resume_in_the_middle_of_an_epoch(drop_last: bool) -> None:
    with worker_loader(drop_last) as workers:
        assert epoch(workers, 2) == epoch(loader(drop_last=drop_last), 2)
        workers.load_state_dict({"epoch": 1, "block": 2})
        assert [x.tolist() for x, _ in workers] == epoch(loader(drop_last=drop_last), 1)[2:]
        assert epoch(workers, 3) == epoch(loader(drop_last=drop_last), 3)


def test_closing_a_loader_ends_its_workers_also_in_the_middle_of_an_epoch() -> None:
    """PyTorch 2.13, `_shutdown_workers`: without it, each worker of a loader that is collected takes five seconds."""
    before = set(psutil.Process().children())  # a browser of another test, say
    with worker_loader() as workers:
        next(iter(workers))
        assert set(psutil.Process().children()) - before
    assert not set(psutil.Process().children()) - before
    workers.close()  # twice does no harm


def test_workers_persist_and_ignore_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}
    monkeypatch.setattr(loaders, "DataLoader", lambda dataset, **settings: made.update(settings))
    WorkerLoader(ArrayDataset(torch.arange(4), torch.arange(4)), 2, EpochOrder(4, 0, True), False, num_workers=3)
    assert (made["num_workers"], made["persistent_workers"]) == (3, True)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        made["worker_init_fn"](0)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_a_lazy_dataset_reads_and_scales_its_own_samples_only() -> None:
    x = np.arange(20, dtype=np.float32).reshape(10, 2)
    scale = Scale(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 4.0]))
    dataset = LazyDataset(x, torch.arange(10) * 10, np.array([7, 2, 5]), scale)
    assert len(dataset) == 3
    batch, targets = dataset.batch(torch.tensor([2, 0]))
    assert batch.tolist() == [[(10 - 1) / 2, (11 - 2) / 4], [(14 - 1) / 2, (15 - 2) / 4]]
    assert targets.tolist() == [50, 70]
    one, target = dataset[1]
    assert one.tolist() == [(4 - 1) / 2, (5 - 2) / 4]
    assert target == 20
