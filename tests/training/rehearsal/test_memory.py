"""Memory is estimated before it is used."""

import resource
from pathlib import Path

import pytest
import torch
from torch import nn

from lab.config.experiment import load
from lab.errors import LabError, described
from lab.training.building import build
from lab.training.rehearsal import memory, whole_batch


def test_a_network_that_is_too_large_for_memory_is_refused_before_memory_is_used(tiny: str) -> None:
    width = int((memory.available() / 2 / 4) ** 0.5)  # of a matrix that fits into memory, but not three times
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(LabError, match=r"model: mlp is too large for this machine's memory: .* GB are free"):
        build(load(tiny, [f"model.hidden={width}", "model.layers=3"]))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


def test_parameters_are_counted_while_they_are_made_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 3 * 4 * 110)  # three times the 110 weights of Linear(10, 10)
    with memory.bounded_parameters("fits"):
        nn.Linear(10, 10)
        nn.LazyLinear(10)  # of a size that is not known
    with pytest.raises(LabError, match="model: large is too large"), memory.bounded_parameters("large"):
        nn.Sequential(nn.Linear(10, 10), nn.Linear(1, 1))
    nn.Linear(100, 100)


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1e6 < memory.available() < 1e14
    for content, least in (("5000\n", 5000), ("max\n", 1e6)):
        (tmp_path / "memory.max").write_text(content)
        monkeypatch.setattr(memory, "CGROUP_LIMITS", (str(tmp_path / "memory.max"), str(tmp_path / "missing")))
        assert memory.available() == least if least == 5000 else memory.available() > least


def test_activations_are_what_the_backward_pass_needs() -> None:
    network = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
    with memory.Activations(network) as kept:
        network(torch.randn(3, 6))
    assert kept.take() == 4 * 3 * (6 + 5)  # the inputs of both linear layers; the ReLU needs that of the second
    assert kept.take() == 0
    network(torch.randn(3, 6))  # outside the block
    assert kept.take() == 0


def test_memory_that_tensors_share_counts_once() -> None:
    one = torch.zeros(10)
    assert memory.of_tensors(iter([one, one.view(2, 5), torch.zeros(3)])) == 4 * 13


def test_the_state_of_an_optimizer_is_its_tensors() -> None:
    weights = nn.Parameter(torch.zeros(10))
    for optimizer, size in ((torch.optim.SGD([weights]), 0), (torch.optim.Adam([weights]), 4 * (2 * 10 + 1))):
        weights.sum().backward()
        optimizer.step()
        assert memory.of_optimizer(optimizer) == size


def test_a_batch_that_is_too_large_for_memory_is_refused(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built = build(load(tiny))
    needed = whole_batch.rehearse(built).activations
    monkeypatch.setattr(memory, "available", lambda device: needed)
    whole_batch.rehearse(built)
    monkeypatch.setattr(memory, "available", lambda device: needed - 1)
    with pytest.raises(LabError, match=r"data\.batch_size: a batch of 128 samples needs about .* GB for its"):
        whole_batch.rehearse(built)


def test_what_torch_says_about_memory_is_said_in_words() -> None:
    with pytest.raises(RuntimeError) as failed:
        torch.empty(10**15)
    assert described(failed.value).startswith("not enough memory: 4e+06 GB more are needed")
    on_gpu = described(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."))
    assert on_gpu.startswith("not enough memory: 2.15 GB")
    assert described(KeyError("x")) == "KeyError: 'x'"
    assert described(GeneratorExit()) == "GeneratorExit"
