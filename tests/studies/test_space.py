"""Search spaces: what they accept, and the errors they report."""

from typing import Any

import optuna
import pytest
from shipped import SHIPPED

from lab.config import experiment
from lab.config.experiment import Experiment, load
from lab.errors import LabError
from lab.studies.space import parse_space

pytestmark = pytest.mark.usefixtures("empty_workplace")

BASE = {"data": {"kind": "digits"}, "model": {"kind": "mlp"}}


def searching(search: dict[str, Any]) -> Experiment:
    return experiment.from_sections("mine", "", BASE | {"search": search})


def suggested(search: dict[str, Any], fixed: dict[str, Any]) -> dict[str, Any]:
    return parse_space(searching(search)).suggest(optuna.trial.FixedTrial(fixed))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in SHIPPED if load(name).search])
def test_a_shipped_space_is_valid_and_suggests_valid_experiments(name: str) -> None:
    space = parse_space(load(name))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        values = space.suggest(study.ask())
        settings = space.experiment.varied(values).settings()
        assert {setting: settings[setting] for setting in values} == values


def test_the_main_architectures_have_a_space() -> None:
    assert {"mlp", "conv1d", "conv2d", "lstm", "gru"} <= {name for name in SHIPPED if load(name).search}


def test_a_list_is_a_choice_and_a_range_has_the_type_of_its_setting() -> None:
    search = {
        "model.norm": ["none", "batch"],
        "model.hidden": {"low": 8, "high": 64, "log": True},
        "optimizer.weight_decay": {"low": 0, "high": 1},
        "data.batch_size": {"low": 16, "high": 64, "step": 16},
    }
    space = parse_space(searching(search))
    assert [dimension.integer for dimension in space.dimensions] == [False, True, False, True]
    fixed = {"model.norm": "batch", "model.hidden": 9, "optimizer.weight_decay": 0.25, "data.batch_size": 32}
    assert suggested(search, fixed) == fixed


def test_a_dimension_exists_only_where_its_condition_holds() -> None:
    search = {
        "optimizer.kind": ["sgd", "adamw"],
        "optimizer.momentum": {"low": 0.0, "high": 0.9, "when": {"optimizer.kind": "sgd"}},
        "optimizer.nesterov": {
            "choices": [True, False],
            "when": {"optimizer.kind": ["sgd"]},
        },
    }
    assert suggested(search, {"optimizer.kind": "adamw"}) == {"optimizer.kind": "adamw"}
    assert suggested(search, {"optimizer.kind": "sgd", "optimizer.momentum": 0.5, "optimizer.nesterov": True}) == {
        "optimizer.kind": "sgd",
        "optimizer.momentum": 0.5,
        "optimizer.nesterov": True,
    }


def test_choices_may_be_lists_and_mappings() -> None:
    choices = [{"kind": "sgd", "lr": 0.1}, {"kind": "adam", "lr": 0.001}]
    space = parse_space(searching({"optimizer": choices}))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    assert space.suggest(trial)["optimizer"] in choices
    assert space.values_of(trial.params)["optimizer"] in choices


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"optimizer.lr": {"low": 1.0, "high": 0.1}}, "search.optimizer.lr: low 1.0 is above high 0.1; swap them"),
        ({"optimizer.lr": {"low": 0, "high": 0.1, "log": True}}, "search.optimizer.lr: a log range needs low above 0"),
        ({"optimizer.lr": {"low": 0.1}}, "search.optimizer.lr.high: is required"),
        ({"optimizer.lr": {"low": "a", "high": 1}}, 'search.optimizer.lr.low: must be a number, not "a"'),
        (
            {"optimizer.lr": {"low": 0.1, "high": 1, "setp": 0.1}},
            "search.optimizer.lr.setp: no such key; did you mean step?",
        ),
        ({"optimizer.lr": {"low": 0.1, "high": 1, "step": 0}}, "search.optimizer.lr.step: must be a number above 0"),
        (
            {"optimizer.lr": {"low": 0.1, "high": 1, "step": 0.1, "log": True}},
            "search.optimizer.lr: a log range has no step",
        ),
        ({"optimizer.lr": []}, "search.optimizer.lr: needs at least one choice"),
        ({"optimizer.lr": 0.1}, "search.optimizer.lr: 0.1 is not a dimension"),
        ({"optimizer.lrr": [0.1]}, "search.optimizer.lrr: no such setting; did you mean optimizer.lr?"),
        ({"model.norm": ["batch", "btach"]}, "search.model.norm: must be"),
        ({"model.hidden": [16, "many"]}, "search.model.hidden: must be"),
        ({"model.hidden": {"low": 0.5, "high": 8}}, "search.model.hidden: must be"),
        ({"model.hidden": {"low": 2, "high": 8, "step": 0.5}}, "search.model.hidden.step: must be an integer"),
        ({"model.dropout": {"low": 0.0, "high": 1.5}}, "search.model.dropout: must be"),
        (
            {"optimizer.lr": {"low": 0.1, "high": 1, "when": {"optimizer.kind": "sgd"}}},
            "search.optimizer.lr.when: optimizer.kind is not in the space",
        ),
        (
            {
                "model.dropout": [0.1],
                "optimizer.lr": {"low": 0.1, "high": 1, "when": {"model.norm": "none"}},
                "model.norm": ["none"],
            },
            "search.optimizer.lr.when: model.norm must come before optimizer.lr",
        ),
        (
            {"model.norm": ["none"], "optimizer.lr": {"low": 0.1, "high": 1, "when": {"model.norm": "layer"}}},
            'search.optimizer.lr.when: model.norm is never "layer"',
        ),
        (
            {"optimizer.kind": ["sgd", "adamw"], "optimizer.momentum": {"low": 0.0, "high": 0.9}},
            "search.optimizer.momentum: no such setting",
        ),
        (
            {"optimizer.lr": [0.1], "optimizer.kind": ["sgd"]},
            "search.optimizer.kind: must come before the other optimizer settings",
        ),
    ],
)
def test_an_error_is_reported_before_the_first_trial(search: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError) as error:
        parse_space(searching(search))
    assert any(line.startswith(message) for line in error.value.lines), error.value.lines


def test_all_errors_are_reported_at_once() -> None:
    with pytest.raises(LabError) as error:
        parse_space(searching({"optimizer.lr": [], "model.nrom": ["none"], "model.dropout": {"low": 1, "high": 0}}))
    assert len(error.value.lines) == 3


def test_an_experiment_without_a_space_gets_an_example() -> None:
    with pytest.raises(LabError, match="has no search space; add one"):
        parse_space(searching({}))


def test_the_fingerprint_depends_on_space_settings_and_metric() -> None:
    prints = {
        parse_space(searching({"optimizer.lr": [0.1]})).fingerprint("val/loss"),
        parse_space(searching({"optimizer.lr": [0.1]})).fingerprint("val/accuracy"),
        parse_space(searching({"optimizer.lr": [0.1, 0.2]})).fingerprint("val/loss"),
        parse_space(searching({"optimizer.lr": [0.1]}).varied({"model.hidden": 8})).fingerprint("val/loss"),
    }
    assert len(prints) == 4
    same = parse_space(searching({"optimizer.lr": [0.1]})).fingerprint("val/loss")
    assert same in prints
