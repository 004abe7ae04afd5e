"""Sequences of unequal length: what a network gives for one does not depend on the padding behind its end."""

import math

import pytest
import torch
from torch import Tensor, nn

from lab.architectures.masking import norm_of_real, without_padding
from lab.config.sections import Part
from lab.data.sizes import Sizes

CHANNELS, LONGEST, LENGTHS = 2, 13, (13, 1, 6, 8, 7)
MASKING = [
    ("lstm", {"hidden": 4, "layers": 2}),
    ("lstm", {"hidden": 4, "layers": 3, "bidirectional": True, "norm": "layer", "pooling": "mean"}),
    ("lstm", {"hidden": 4, "layers": 2, "bidirectional": True, "norm": "batch"}),
    ("gru", {"hidden": 4, "layers": 2, "pooling": "mean", "norm": "batch"}),
    ("gru", {"hidden": 4, "layers": 2, "bidirectional": True}),
    ("conv1d", {"channels": 4, "layers": 4}),
    ("conv1d", {"channels": 4, "layers": 3, "kernel_size": 7, "norm": "layer", "activation": "sigmoid"}),
    ("conv1d", {"channels": 4, "layers": 1, "kernel_size": 1, "norm": "none"}),
    ("transformer", {"hidden": 8, "heads": 2}),
    ("transformer", {"hidden": 8, "heads": 2, "patch": 4, "pooling": "last"}),
    ("bag", {}),
    ("bag", {"hidden": 4}),
    ("textcnn", {"channels": 4, "dropout": 0.0}),
    ("textcnn", {"channels": 4, "dropout": 0.0, "widths": [1, 20]}),
]


def build(kind: str, settings: dict[str, object], padded: bool = True) -> nn.Module:
    torch.manual_seed(0)
    sizes = Sizes((CHANNELS, LONGEST), 3, padded=padded)
    network: nn.Module = Part("model", kind, settings).build(**sizes.supplied())
    for name, buffer in network.named_buffers():  # batch norm as after some training
        if name.endswith(("running_mean", "running_var")):
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    return network


def sequences() -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(CHANNELS, length) for length in LENGTHS]


def padded_to(length: int, parts: list[Tensor]) -> Tensor:
    x = torch.full((len(parts), CHANNELS, length), math.nan)
    for row, part in zip(x, parts, strict=True):
        row[:, : part.shape[1]] = part
    return x


@pytest.mark.parametrize(("kind", "settings"), MASKING)
def test_a_padded_batch_gives_what_each_sequence_gives_alone(kind: str, settings: dict[str, object]) -> None:
    network = build(kind, settings).eval()
    whole = network(padded_to(LONGEST, sequences()))
    alone = torch.cat([network(part[None]) for part in sequences()])
    torch.testing.assert_close(whole, alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("kind", "settings"), [case for case in MASKING if case[1].get("patch", 1) == 1])
def test_a_sequence_alone_gives_what_the_network_without_masks_gives(kind: str, settings: dict[str, object]) -> None:
    network, unmasked = build(kind, settings).eval(), build(kind, settings, padded=False).eval()
    unmasked.load_state_dict(network.state_dict())
    for part in sequences():
        if kind == "transformer":
            unmasked.positions = nn.Parameter(network.positions[: part.shape[1]].detach())
        torch.testing.assert_close(network(part[None]), unmasked(part[None]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("kind", "settings"), MASKING)
def test_more_padding_changes_neither_outputs_nor_gradients_nor_statistics(
    kind: str, settings: dict[str, object], training: bool
) -> None:
    parts, results = sequences()[1:], []  # without the longest
    for length in (8, 9, 11, LONGEST):
        network = build(kind, settings).double().train(training)
        outputs = network(padded_to(length, parts).double())
        outputs.square().sum().backward()
        gradients = [parameter.grad for parameter in network.parameters()]
        if kind == "transformer":  # of positions that no sequence reaches
            gradients = [gradient for gradient in gradients if gradient is not None]
        results.append([outputs, *gradients, *network.buffers()])
    assert all(bool(torch.isfinite(value).all()) for value in results[0])
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], atol=1e-9, rtol=0)


@pytest.mark.parametrize(("kind", "settings"), MASKING)
def test_no_gradient_reaches_the_padding(kind: str, settings: dict[str, object]) -> None:
    x = padded_to(LONGEST, sequences()).requires_grad_()
    build(kind, settings)(x).square().sum().backward()
    assert x.grad is not None
    assert bool((x.grad[x.isnan()] == 0).all())
    assert bool(torch.isfinite(x.grad).all())


@pytest.mark.parametrize(("kind", "settings"), [case for case in MASKING if case[0] in ("lstm", "gru")])
def test_recurrent_layers_give_what_packed_sequences_give(kind: str, settings: dict[str, object]) -> None:
    network = build(kind, settings).eval()
    x, real = without_padding(padded_to(LONGEST, sequences()))
    (layer, *_), lengths = network.layers, torch.tensor(LENGTHS)
    packed = nn.utils.rnn.pack_padded_sequence(x.transpose(1, 2), lengths, batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(layer(packed)[0], batch_first=True)
    from lab.architectures.recurrent import _outputs

    outputs = _outputs(layer, x.transpose(1, 2), real)
    torch.testing.assert_close(outputs[real], expected[real], atol=1e-6, rtol=0)


def test_batch_norm_takes_its_statistics_from_the_real_steps() -> None:
    x, real = without_padding(padded_to(LONGEST, sequences()))
    steps = torch.cat(sequences(), dim=1)
    norm = nn.BatchNorm1d(CHANNELS)
    normed = norm_of_real(norm, x, real)
    mean, deviation = steps.mean(1, keepdim=True), steps.std(1, unbiased=False, keepdim=True)
    torch.testing.assert_close(normed[0], ((sequences()[0] - mean) / (deviation**2 + norm.eps).sqrt()))
    torch.testing.assert_close(norm.running_mean, 0.1 * steps.mean(1))
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * steps.var(1))


@pytest.mark.parametrize(("kind", "settings"), MASKING)
def test_a_sequence_without_any_step_is_one_of_a_single_zero(kind: str, settings: dict[str, object]) -> None:
    network = build(kind, settings).eval()
    empty = torch.full((1, CHANNELS, 5), math.nan)
    torch.testing.assert_close(network(empty), network(torch.zeros(1, CHANNELS, 1)), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("kind", "settings"), [case for case in MASKING if "patch" not in case[1]])
def test_masks_add_no_weights(kind: str, settings: dict[str, object]) -> None:
    with_masks, without = build(kind, settings).state_dict(), build(kind, settings, padded=False).state_dict()
    torch.testing.assert_close(with_masks, without, atol=0, rtol=0)
