"""Weights in a network: what fits is loaded, the rest is named."""

import pytest
import torch
from torch import nn

from lab.errors import LabError
from lab.weights.loading import load, plain_names


def network(outputs: int = 5) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, outputs))


def test_a_head_of_another_size_stays_new() -> None:
    source, target = network(2), network(5)
    head = target[2].weight.clone()
    loaded = load(target, source.state_dict(), "net.pth")
    assert torch.equal(target[0].weight, source[0].weight)
    assert torch.equal(target[2].weight, head)
    assert loaded.other_shape == ["2.weight (2, 4) for (5, 4)", "2.bias (2,) for (5,)"]
    assert str(loaded) == (
        "7 of 9 tensors are those of net.pth; left new, of another shape: 2.weight (2, 4) for (5, 4), 2.bias (2,) "
        "for (5,)"
    )


def test_what_is_missing_and_what_is_not_used_is_named() -> None:
    target = network()
    given = {name: value for name, value in network().state_dict().items() if not name.startswith("1.")}
    loaded = load(target, {**given, "decoder.weight": torch.zeros(3)}, "net.pth")
    assert loaded.missing == ["1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"]
    assert loaded.unexpected == ["decoder.weight"]
    assert str(loaded).endswith(
        "left new, not in it: 1.weight, 1.bias, 1.running_mean, 1.running_var, 1.num_batches_tracked; not used: "
        "decoder.weight"
    )


def test_names_count_without_the_wrappers_of_the_lab_lightning_and_ddp() -> None:
    source, target = network(), network()
    load(target, {f"module.architecture.{name}": value for name, value in source.state_dict().items()}, "net.ckpt")
    assert torch.equal(target[2].weight, source[2].weight)
    assert plain_names(["model.a", "architecture.model.b"]) == {"model.a": "a", "architecture.model.b": "b"}
    assert plain_names(["model.a", "a"]) == {"model.a": "model.a", "a": "a"}  # one could not be told from the other


def test_weights_of_another_network_are_refused_with_names_or_shapes() -> None:
    with pytest.raises(LabError) as refused:
        load(network(), {"conv.weight": torch.zeros(3)}, "net.pth")
    assert refused.value.lines == (
        "net.pth: none of its 1 tensors fits the network: it has conv.weight; the network 0.weight, 0.bias, 1.weight "
        "and 6 more",
    )
    with pytest.raises(LabError, match=r"the network 0.weight \(7, 7\) for \(4, 3\)$"):
        load(network(), {"0.weight": torch.zeros(7, 7)}, "net.pth")
