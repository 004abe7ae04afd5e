import pytest
import torch

from lab.data.loaders import ArrayDataset, BatchLoader, EpochOrder
from lab.data.shares import WHOLE, Share

SIZES = {2: [[4, 4, 2], [3, 3, 2]], 3: [[3, 3, 2], [2, 2, 1], [2, 2, 1]]}  # of batches of 7, 7 and 4


@pytest.mark.parametrize("devices", SIZES)
def test_the_devices_divide_each_batch_among_them_and_the_first_take_one_more(devices: int) -> None:
    shares = [Share(rank, devices) for rank in range(devices)]
    assert [[share.size(batch) for batch in (7, 7, 4)] for share in shares] == SIZES[devices]
    taken = [samples(share).split(SIZES[devices][share.rank]) for share in shares]
    together = torch.cat([torch.cat(parts) for parts in zip(*taken, strict=True)])
    assert together.tolist() == samples(WHOLE).tolist()  # each sample once, in the same order


def samples(share: Share) -> torch.Tensor:
    """The samples of an epoch in blocks of two batches that a device takes."""
    data = ArrayDataset(torch.arange(18), torch.zeros(18))
    loader = BatchLoader(data, 7, EpochOrder(18, seed=0, shuffle=True), block=2)
    loader.share = share
    return torch.cat([block[0] for block in loader])


def test_a_last_batch_too_small_for_all_devices_goes_to_the_first_ones() -> None:
    data = ArrayDataset(torch.arange(5), torch.zeros(5))
    loader = BatchLoader(data, 4, EpochOrder(5, seed=0, shuffle=False))
    loader.share = Share(1, 2)
    assert [block[0].tolist() for block in loader] == [[2, 3]]
