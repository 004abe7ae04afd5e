"""Automatic threads: measured at the start, recorded as a number; and the memory format of images."""

import os

import pytest
import torch

from lab.config.experiment import load, parse
from lab.errors import LabError
from lab.training import building
from lab.training.threads import choose_threads

pytestmark = pytest.mark.usefixtures("empty_workplace")


def test_auto_becomes_a_number_of_threads_that_is_set_and_written_down() -> None:
    built = choose_threads(building.build(load("conv2d", ["threads=auto"])))
    number = built.experiment.threads
    assert number in range(1, (os.cpu_count() or 1) + 1)
    assert torch.get_num_threads() == number
    assert parse("conv2d", built.experiment.to_yaml()).threads == number


def test_measuring_changes_neither_weights_nor_randomness() -> None:
    built = building.build(load("mlp", ["threads=auto"]))
    weights = {name: value.clone() for name, value in built.module.state_dict().items()}
    randomness = torch.get_rng_state()
    choose_threads(built)
    assert all(torch.equal(value, weights[name]) for name, value in built.module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), randomness)


def test_auto_stays_within_a_workers_share_of_the_cores() -> None:
    assert choose_threads(building.build(load("conv2d", ["threads=auto"])), most=1).experiment.threads == 1


def test_a_number_is_kept() -> None:
    assert choose_threads(building.build(load("mlp", ["threads=2"]))).experiment.threads == 2
    with pytest.raises(LabError, match="threads: must be at least 1, or auto, not 0"):
        load("mlp", ["threads=0"])


def test_channels_last_gives_the_same_outputs_from_weights_laid_out_otherwise() -> None:
    usual, last = (building.build(load("conv2d", [f"channels_last={on}"])) for on in ("false", "true"))
    convolution = next(module for module in last.module.modules() if isinstance(module, torch.nn.Conv2d))
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)
    x, _ = next(iter(usual.data.loader("val")))
    torch.testing.assert_close(last.module.eval()(x), usual.module.eval()(x))


def test_auto_is_one_thread_where_there_are_more_devices_than_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """As two GPUs on a machine whose container has one processor."""
    monkeypatch.setattr("lab.training.threads.count", lambda _: 2 * (os.cpu_count() or 1))
    assert choose_threads(building.build(load("mlp", ["threads=auto"]))).experiment.threads == 1
