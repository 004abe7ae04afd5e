"""Batches of sequences of similar length."""

import numpy as np
import torch

from lab.config.sections import Part
from lab.data.loaders import BatchLoader, WorkerLoader
from lab.data.sequences.buckets import BucketOrder, SequenceDataset
from lab.training.building import open_data

COUNT, BATCH = 1_003, 10
LENGTHS = torch.from_numpy(np.random.default_rng(0).integers(1, 400, COUNT))


def dataset() -> SequenceDataset:
    x = torch.arange(COUNT)[:, None, None].expand(COUNT, 1, 400).float()
    return SequenceDataset(x.masked_fill(torch.arange(400) >= LENGTHS[:, None, None], torch.nan), LENGTHS, LENGTHS)


def order(seed: int = 0, epoch: int = 0, shuffle: bool = True) -> list[int]:
    made = BucketOrder(LENGTHS, seed, shuffle, BATCH)
    made.set_epoch(epoch)
    return made.indices().tolist()


def test_the_order_is_a_function_of_seed_and_epoch_and_has_each_sample_once() -> None:
    assert order(1, 2) == order(1, 2)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1, 2)}) == 6
    assert sorted(order(1, 2)) == list(range(COUNT))
    assert order(shuffle=False) == list(range(COUNT))


def test_batches_have_sequences_of_similar_length_and_come_in_no_order() -> None:
    whole = LENGTHS[torch.tensor(order())[: COUNT // BATCH * BATCH]].view(-1, BATCH)
    assert (whole.max(1).values - whole.min(1).values).float().mean() < 20  # of 400; at random about 330
    longest = whole.max(1).values.float()
    neighbours = torch.corrcoef(torch.stack([longest[:-1], longest[1:]]))[0, 1]
    assert abs(neighbours) < 0.3


def test_a_sample_meets_others_in_the_next_epoch() -> None:
    batches = [{frozenset(part) for part in np.array(order(0, epoch)[:1000]).reshape(-1, BATCH)} for epoch in (0, 1)]
    assert not batches[0] & batches[1]


def test_a_batch_ends_with_its_longest_sequence_with_and_without_workers() -> None:
    alone = BatchLoader(dataset(), BATCH, BucketOrder(LENGTHS, 0, True, BATCH))
    workers = WorkerLoader(dataset(), BATCH, BucketOrder(LENGTHS, 0, True, BATCH), False, num_workers=1)
    seen = 0
    for (x, lengths), (other, _) in zip(alone, workers, strict=True):
        assert x.shape[2] == lengths.max()
        assert torch.equal(x.nan_to_num(-1), other.nan_to_num(-1))
        seen += len(x)
    workers.close()
    assert seen == COUNT


def test_the_batch_of_the_longest_is_found() -> None:
    sequences = dataset()
    _, lengths = sequences.batch(sequences.longest(3))
    assert lengths.tolist() == LENGTHS.sort(descending=True).values[:3].tolist()


def test_a_loader_goes_on_in_the_middle_of_an_epoch() -> None:
    whole = [y.tolist() for _, y in BatchLoader(dataset(), BATCH, BucketOrder(LENGTHS, 3, True, BATCH))]
    loader = BatchLoader(dataset(), BATCH, BucketOrder(LENGTHS, 3, True, BATCH))
    begun = iter(loader)
    first = [next(begun)[1].tolist() for _ in range(4)]
    rest = BatchLoader(dataset(), BATCH, BucketOrder(LENGTHS, 3, True, BATCH))
    rest.load_state_dict(loader.state_dict())
    assert first + [y.tolist() for _, y in rest] == whole


def test_augmented_sequences_are_served_by_length_too() -> None:
    data = open_data(Part("data", "digit_outlines", {"batch_size": 32, "augment": [{"kind": "jitter"}]}), seed=0)
    widths = [x.shape[2] for x, _ in data.train_dataloader()]
    assert min(widths) < max(widths)
    assert data.first_samples(2).shape[2] == data.sizes.input_shape[1] >= max(widths)
    assert all(bool((x[:, 0].isnan().sum(1) < x.shape[2]).all()) for x, _ in data.train_dataloader())
