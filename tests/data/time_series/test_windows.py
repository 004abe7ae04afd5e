import torch

from lab.data.time_series.windows import WindowDataset, window_starts


def test_windows_end_with_their_split_and_their_past_may_reach_back_before_it() -> None:
    series = torch.arange(20.0) + 100 * torch.arange(3.0)[:, None]  # (3, 20)
    dataset = WindowDataset(series, 4, 2, window_starts(10, 16, window=4, horizon=2), targets=2)
    assert len(dataset) == 5
    past, future = dataset[0]
    assert past.tolist() == [[6, 7, 8, 9], [106, 107, 108, 109], [206, 207, 208, 209]]
    assert future.tolist() == [10, 11, 110, 111]
    _, future = dataset[4]
    assert future.tolist() == [14, 15, 114, 115]
    past, future = dataset.batch(torch.tensor([1, 3]))
    assert past[:, 0].tolist() == [[7, 8, 9, 10], [9, 10, 11, 12]]
    assert future.tolist() == [[11, 12, 111, 112], [13, 14, 113, 114]]


def test_the_first_windows_of_a_series_start_at_its_first_step() -> None:
    series = torch.arange(8.0)[None]
    dataset = WindowDataset(series, 3, 1, window_starts(0, 8, window=3, horizon=1))
    assert dataset.starts.tolist() == [0, 1, 2, 3, 4]
    assert dataset[0][1].tolist() == [3]
    assert window_starts(2, 8, window=3, horizon=1)[0] == 0
    assert window_starts(6, 12, window=3, horizon=1, begin=5)[0] == 5  # the second of two series
