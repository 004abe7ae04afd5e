"""Networks in front of an architecture: embeddings, and windows relative to the last value."""

import torch
from torch import nn

from lab.architectures.adapters import Embedded, FromLastValue
from lab.data.sizes import EmbeddedColumns, RelativeToLastValue, embedding_width
from lab.training.building import with_input_adapter


def test_embedding_widths_follow_fastais_rule() -> None:
    assert [embedding_width(categories) for categories in (2, 15, 100, 1_000)] == [2, 7, 21, 50]


def test_embedded_columns_are_replaced_and_follow_the_others() -> None:
    columns = EmbeddedColumns(columns=4, categories={1: 3, 3: 15})
    torch.manual_seed(0)
    network = with_input_adapter(nn.Identity(), columns)
    first, second = network.parameters()
    assert (first.shape, second.shape) == ((3, 3), (15, 7))
    x = torch.tensor([[0.5, 2.0, -30.0, 14.0], [1.0, 3.0, 2.0, 0.0]])
    out = network(x)
    assert out.shape == (2, columns.width) == (2, 12)
    assert out[:, :2].tolist() == [[0.5, -10.0], [1.0, 2.0]]
    torch.testing.assert_close(out[0, 2:5], first[2])
    torch.testing.assert_close(out[1, 2:5], first.mean(0))  # an unknown category
    torch.testing.assert_close(out[:, 5:], second[[14, 0]])


def test_the_parameters_have_the_names_of_stored_checkpoints() -> None:
    embedded = Embedded(nn.Linear(4, 1), 3, {0: (5, 2)})
    assert list(embedded.state_dict()) == ["embeddings.0", "architecture.weight", "architecture.bias"]
    relative = FromLastValue(nn.Linear(4, 1), 1, 1)
    assert list(relative.state_dict()) == ["architecture.weight", "architecture.bias"]


def test_an_embedding_is_drawn_with_unit_norm_on_average() -> None:
    torch.manual_seed(0)
    (weights,) = Embedded(nn.Identity(), 1, {0: (1000, 40)}).parameters()
    torch.testing.assert_close(weights.square().sum(1).mean(), torch.tensor(1.0), atol=0.05, rtol=0)


def test_targets_are_relative_to_their_last_value_and_covariates_are_not() -> None:
    inputs = []

    def network(x: torch.Tensor) -> torch.Tensor:
        inputs.append(x)
        return torch.arange(6.0).expand(len(x), 6)

    module = nn.Module()
    module.forward = network  # type: ignore[method-assign]
    x = torch.tensor([[[1.0, 2.0, 5.0], [10.0, 20.0, 40.0], [7.0, 8.0, 9.0]]])
    out = with_input_adapter(module, RelativeToLastValue(targets=2, horizon=3))(x)
    assert inputs[0].tolist() == [[[-4, -3, 0], [-30, -20, 0], [7, 8, 9]]]
    assert out.tolist() == [[5, 6, 7, 43, 44, 45]]


def test_covariates_can_be_relative_to_their_own_last_value() -> None:
    x = torch.tensor([[[1.0, 2.0, 5.0], [10.0, 20.0, 40.0], [7.0, 8.0, 9.0]]])
    relative = FromLastValue(nn.Flatten(), targets=1, horizon=9, channels=2)
    assert (relative(x) - 5).reshape(3, 3).tolist() == [[-4, -3, 0], [-30, -20, 0], [7, 8, 9]]


def test_in_checkpoints_of_version_0_1_covariates_are_not_relative() -> None:
    x = torch.randn(2, 2, 3)
    before = FromLastValue(nn.Sequential(nn.Flatten(), nn.Linear(6, 1)), 1, 1)
    now = FromLastValue(nn.Sequential(nn.Flatten(), nn.Linear(6, 1)), 1, 1, channels=2)
    assert "relative" in now.state_dict()
    now.load_state_dict(before.state_dict())
    torch.testing.assert_close(now(x), before(x))


def test_without_an_adapter_the_architecture_is_the_whole_network() -> None:
    network = nn.Identity()
    assert with_input_adapter(network, None) is network
