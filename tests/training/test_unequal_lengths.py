"""Training on sequences of unequal length: the networks that take them; padding and interruptions do not matter."""

from pathlib import Path

import numpy as np
import pytest
import torch
from made_sequences import COUNT, LENGTHS, PARTS, X, Y
from resumed import assert_goes_on, fit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score

from lab.config.experiment import from_sections, load
from lab.errors import LabError
from lab.training.baselines import quick_baseline
from lab.training.building import Built, build
from lab.training.rehearsal.part_checks import batches

OWN = """
import lightning as L
import torch
from torch import nn

class Unaware(nn.Module):
    def __init__(self, in_channels, out_features):
        super().__init__()
        self.head = nn.Linear(in_channels, out_features)

    def forward(self, x):
        return self.head(x.nan_to_num().sum(2))

class Aware(Unaware):
    masks_padding = True

class Module(L.LightningModule):
    def training_step(self, batch, batch_idx):
        return torch.zeros((), requires_grad=True)

    def configure_optimizers(self):
        return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
"""
TINY = """# ?
data: {kind: arrays, path: data.npz, batch_size: 8}
model: {kind: gru, hidden: 4, layers: 1, bidirectional: true, dropout: 0.2}
trainer: {max_epochs: 2}
"""


@pytest.fixture(autouse=True)
def workplace(empty_workplace: Path) -> Path:
    np.savez("data.npz", x=X, y=Y, lengths=LENGTHS)
    Path("my_nets.py").write_text(OWN)
    Path("experiments").mkdir(exist_ok=True)
    Path("experiments/tiny.yaml").write_text(TINY)
    return Path.cwd()


def built(kind: str) -> Built:
    sections = {"data": {"kind": "arrays", "path": "data.npz", "batch_size": 8}, "model": {"kind": kind}}
    return build(from_sections("mine", "", sections))


@pytest.mark.parametrize("kind", ["linear", "mlp", "wide_deep", "sequential", "my_nets:Unaware"])
def test_a_network_that_does_not_mask_padding_is_refused_in_one_line(kind: str) -> None:
    with pytest.raises(
        LabError, match=r"does not take sequences of unequal length.*kinds that do: conv1d, lstm, gru"
    ) as e:
        built(kind)
    assert len(e.value.lines) == 1


def test_a_module_of_ones_own_that_does_not_say_so_is_refused_too() -> None:
    sections = {"data": {"kind": "arrays", "path": "data.npz", "batch_size": 8}, "module": {"kind": "my_nets:Module"}}
    with pytest.raises(LabError, match=r"module.kind: my_nets:Module does not take sequences of unequal length"):
        build(from_sections("mine", "", sections))


def test_a_network_of_ones_own_that_masks_padding_is_trained() -> None:
    assert built("my_nets:Aware").data.sizes.padded


def test_the_rehearsal_has_the_longest_sequences() -> None:
    data = built("conv1d").data
    (x, _), rest = batches(data)
    assert x.shape == (8, 2, data.splits["train"].lengths.max())  # type: ignore[attr-defined]
    assert rest is not None
    assert data.block == 1


@pytest.mark.parametrize("stops", [(2,), (3, 4)])
def test_a_run_that_is_stopped_in_the_middle_of_an_epoch_goes_on_to_the_last_bit(
    workplace: Path, stops: tuple[int, ...]
) -> None:
    assert_goes_on(workplace, "tiny", (), stops)


def test_more_padding_in_the_file_changes_nothing(workplace: Path) -> None:
    one = fit(workplace / "one", "tiny")
    np.savez("data.npz", x=np.concatenate([X, X], axis=2), y=Y, lengths=LENGTHS)
    other = fit(workplace / "other", "tiny")
    assert one.losses == other.losses
    assert all(torch.equal(weight, other.weights[name]) for name, weight in one.weights.items())


def test_equal_lengths_train_as_without_lengths(workplace: Path) -> None:
    np.savez("data.npz", x=X, y=Y, lengths=np.full(COUNT, X.shape[2]))
    one = fit(workplace / "one", "tiny")
    np.savez("data.npz", x=X, y=Y)
    assert one.losses == fit(workplace / "other", "tiny").losses


def test_the_quick_baseline_is_a_logistic_regression_on_summaries_of_each_sequence() -> None:
    trained = build(load("tiny"))
    found = quick_baseline.measure(trained)
    assert found.note.startswith("logistic regression has mean, deviation, first, last")
    scaled = trained.data.input_scale.mean.numpy(), trained.data.input_scale.std.numpy()
    rows = []
    for part in PARTS:
        x = (part - scaled[0]) / scaled[1]
        rows.append([*x.mean(1), *x.std(1), *x[:, 0], *x[:, -1], *x.min(1), *x.max(1), np.log(x.shape[1])])
    train, test = trained.data.split_indices["train"], trained.data.split_indices["test"]
    features = np.array(rows)
    model = LogisticRegression(max_iter=100, random_state=0).fit(features[train], Y[train])
    assert found.metrics["test/accuracy"] == pytest.approx(accuracy_score(Y[test], model.predict(features[test])))
