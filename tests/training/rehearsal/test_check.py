"""`lab check`: the figures of the first batch, checked against values that were calculated in another way."""

import math
import sys
from pathlib import Path

import pytest
from torch import nn

from lab.config.experiment import load
from lab.errors import LabError
from lab.tracking import store
from lab.training.building import build
from lab.training.rehearsal.check import check
from lab.training.rehearsal.part_checks import batches

OWN = """
from torch import nn

class Net(nn.Module):
    def __init__(self, in_features: int, out_features: int, frozen: bool = False):
        super().__init__()
        self.body = nn.Linear(in_features, 16)
        self.head = nn.Linear(16, out_features)
        self.body.requires_grad_(not frozen)

    def forward(self, x):
        return self.head(self.body(x.flatten(1)).relu())

class Branches(Net):
    def forward(self, x):
        return super().forward(x) if x.sum() > 0 else -super().forward(x)
"""
WEIGHTS = 64 * 16 + 16 + 16 * 10 + 10


@pytest.fixture(autouse=True)
def own(workplace: Path, tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "checked.py").write_text(OWN)
    monkeypatch.delitem(sys.modules, "checked", raising=False)  # of another test, from another folder


def test_the_figures_are_those_of_the_network_and_its_first_batch() -> None:
    found = check(load("tiny", ["model={kind: 'checked:Net'}"]))
    assert (found.parameters, found.trainable) == (WEIGHTS, WEIGHTS)
    assert found.memory["weights"] == found.memory["gradients"] == 4 * WEIGHTS
    # Two moments of each weight, and the number of steps of each of the four parameters.
    assert found.memory["optimizer"] == 2 * 4 * WEIGHTS + 4 * 4
    # The inputs of both layers: what a linear layer and a ReLU need for the backward pass.
    assert found.memory["activations"] == 128 * (64 + 16) * 4
    assert found.steps == 11  # ⌈1,295 / 128⌉
    assert 0 < found.seconds_per_step < 1
    assert found.guess == pytest.approx(math.log(10))
    assert 1.5 < found.loss < 3.5
    assert list(found.layers) == ["body", "head"]
    assert all(norm is not None and norm > 0 for norm in found.layers.values())
    assert (found.not_exported, found.notes) == ("", [])
    assert not store.client().search_runs(["0", "1"])


def test_the_norm_of_a_layer_is_that_of_all_its_gradients() -> None:
    found = check(load("tiny", ["model={kind: linear}"]))
    built = build(load("tiny", ["model={kind: linear}"]))
    batch, _ = batches(built.data)
    built.module.batch_loss(batch)[1].backward()
    total = float(nn.utils.get_total_norm([p.grad for p in built.module.parameters() if p.grad is not None]))
    assert math.hypot(*[norm or 0.0 for norm in found.layers.values()]) == pytest.approx(total, rel=1e-5)


def test_a_frozen_layer_has_no_gradient_and_its_parameters_are_counted() -> None:
    found = check(load("tiny", ["model={kind: 'checked:Net', frozen: true}"]))
    assert found.layers["body"] is None
    assert found.parameters - found.trainable == 64 * 16 + 16
    (note,) = found.notes
    assert note == (
        "model",
        "checked:Net: body.weight, body.bias require no gradient: 1,040 parameters stay as they are",
    )


def test_for_values_a_guess_is_the_mean_of_the_targets() -> None:
    experiment = load("diabetes")
    batch, _ = batches(build(experiment).data)
    assert check(experiment).guess == pytest.approx(float((batch[1] ** 2).mean()))  # standardised: their mean is 0


@pytest.mark.parametrize(("experiment", "guess"), [("breast_cancer", math.log(2)), ("digits", math.log(10))])
def test_for_classes_a_guess_is_the_same_probability_for_each(experiment: str, guess: float) -> None:
    assert check(load(experiment)).guess == pytest.approx(guess)


def test_why_a_model_will_not_be_exported_is_said() -> None:
    assert "data-dependent" in check(load("tiny", ["model={kind: 'checked:Branches'}"])).not_exported


def test_accumulated_batches_are_one_step() -> None:
    assert check(load("tiny", ["trainer.accumulate_grad_batches=4"])).steps == 3


def test_what_a_run_would_refuse_is_refused() -> None:
    with pytest.raises(LabError, match="val/acc"):
        check(load("tiny", ["early_stopping={monitor: val/acc}"]))
    with pytest.raises(LabError, match="closure"):
        check(load("tiny", ["optimizer={kind: torch.optim.LBFGS}"]))
