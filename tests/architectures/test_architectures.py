"""Properties of every architecture."""

import pytest
import torch
from torch import nn

from lab.architectures.perceptron import MLP, SequentialMLP, WideAndDeep
from lab.config import kinds

SEQUENCES, IMAGES = (2, 12), (1, 8, 8)
BUILT = [
    ("linear", SEQUENCES, {}),
    ("mlp", SEQUENCES, {"hidden": 8}),
    ("wide_deep", SEQUENCES, {"hidden": 8, "layers": 1, "norm": "layer"}),
    ("mlp", IMAGES, {"hidden": 8, "norm": "batch", "activation": "leaky_relu", "negative_slope": 0.2}),
    ("sequential", SEQUENCES, {"hidden": 8, "norm": "layer", "activation": "gelu"}),
    ("realmlp", SEQUENCES, {"hidden": 8, "layers": 2, "activation": "gelu"}),
    ("realmlp", SEQUENCES, {"hidden": 8, "embedding": 1}),
    ("conv1d", SEQUENCES, {"channels": 4, "norm": "layer"}),
    ("conv1d", SEQUENCES, {"channels": 4, "norm": "none", "activation": "tanh"}),
    ("conv2d", IMAGES, {"channels": 4, "norm": "layer"}),
    ("conv2d", IMAGES, {"channels": 4, "activation": "sigmoid"}),
    ("lstm", SEQUENCES, {"hidden": 4}),
    ("lstm", SEQUENCES, {"hidden": 4, "bidirectional": True, "norm": "layer", "pooling": "mean"}),
    ("gru", SEQUENCES, {"hidden": 4, "norm": "batch"}),
    ("gru", SEQUENCES, {"hidden": 4, "bidirectional": True}),
    ("transformer", SEQUENCES, {"hidden": 8, "heads": 2}),
    ("transformer", SEQUENCES, {"hidden": 6, "heads": 2, "pooling": "last", "patch": 4}),
    ("bag", SEQUENCES, {"hidden": 4}),
    ("textcnn", SEQUENCES, {"channels": 4, "widths": [1, 5]}),
]


def build(kind: str, shape: tuple[int, ...], settings: dict[str, object]) -> nn.Module:
    from lab.config.sections import Part
    from lab.data.base import Sizes

    torch.manual_seed(0)
    return Part("model", kind, settings).build(**Sizes(shape, out_features=3).supplied())


@pytest.mark.parametrize(("kind", "shape", "settings"), BUILT)
def test_outputs_are_logits_of_the_right_shape_and_every_weight_gets_a_gradient(
    kind: str, shape: tuple[int, ...], settings: dict[str, object]
) -> None:
    network = build(kind, shape, settings)
    outputs = network(100 * torch.randn(5, *shape))
    assert outputs.shape == (5, 3)
    assert not torch.allclose(outputs.sum(1), torch.ones(5))  # no softmax inside
    outputs.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters() if p.requires_grad)


@pytest.mark.parametrize(("kind", "shape", "settings"), BUILT)
def test_an_output_does_not_depend_on_the_rest_of_the_batch(
    kind: str, shape: tuple[int, ...], settings: dict[str, object]
) -> None:
    network = build(kind, shape, settings).eval()
    x = torch.randn(5, *shape)
    torch.testing.assert_close(network(x)[2:3], network(x[2:3]))


def test_every_shipped_kind_is_tried_above() -> None:
    of_tokens = {"causal_transformer"}  # see tests/modules/test_language.py
    assert {kind for kind, _, _ in BUILT} | of_tokens == set(kinds.SHIPPED["model"])


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "sigmoid", "tanh", "gelu"])
def test_the_class_and_nn_sequential_give_identical_outputs_from_identical_weights(norm: str, activation: str) -> None:
    settings = {"hidden": 8, "layers": 3, "norm": norm, "activation": activation, "negative_slope": 0.3}
    one, other = MLP(12, 3, **settings), SequentialMLP(12, 3, **settings)
    # Both hold linear layers and norms, but the class lists all linear layers first.
    by_layer = [
        tensor
        for index in range(3)
        for part in (one.linears[index], one.norms[index])
        for tensor in part.state_dict().values()
    ]
    weights = [*by_layer, *one.head.state_dict().values()]
    other.load_state_dict(dict(zip(other.state_dict(), weights, strict=True)))
    x = torch.randn(5, 12)
    assert torch.equal(one(x), other(x))


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_last_pooling_of_both_directions_depends_on_the_whole_sequence(kind: str) -> None:
    network = build(kind, SEQUENCES, {"hidden": 4, "layers": 1, "bidirectional": True}).eval()
    x = torch.randn(1, 2, 12, requires_grad=True)
    network._pooled(network.layers[0](x.transpose(1, 2))[0].transpose(1, 2))[0, 4:].sum().backward()  # backward half
    assert x.grad is not None
    assert (x.grad.abs().sum(1) > 0).all()


def test_dropout_acts_in_training_only() -> None:
    network = build("mlp", SEQUENCES, {"hidden": 64, "dropout": 0.5})
    x = torch.randn(4, 2, 12)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("conv1d", {"kernel_size": 4}, "model.kernel_size must be odd"),
        ("transformer", {"hidden": 10}, "multiple of"),
        ("transformer", {"patch": 5}, "divide"),
    ],
)
def test_incompatible_settings_are_refused(kind: str, settings: dict[str, object], message: str) -> None:
    from lab.errors import LabError

    with pytest.raises(LabError, match=message):
        build(kind, SEQUENCES, settings)


def test_wide_and_deep_starts_as_its_linear_layer() -> None:
    network = WideAndDeep(in_features=5, out_features=2, hidden=8)
    x = torch.randn(3, 5)
    assert torch.equal(network(x), network.wide(x))
