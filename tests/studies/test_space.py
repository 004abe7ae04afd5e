"""Search spaces: what they accept, and the errors they report."""

import re
from typing import Any

import optuna
import pytest
from shipped import SHIPPED

from lab.config import experiment
from lab.config.experiment import Experiment, load
from lab.errors import LabError
from lab.studies.space import Dimension, parse_space

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
        "optimizer.nesterov": {"choices": [True, False], "when": {"optimizer.kind": ["sgd"]}},
    }
    assert suggested(search, {"optimizer.kind": "adamw"}) == {"optimizer.kind": "adamw"}
    every = {"optimizer.kind": "sgd", "optimizer.momentum": 0.5, "optimizer.nesterov": True}
    assert suggested(search, every) == every


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
        (
            {"combine_with_naive": [True, False]},
            "search.combine_with_naive: acts once the network is trained, which no ",
        ),
        (
            {"threshold": [0.3, "f1"]},
            "search.threshold: acts once the network is trained, which no trial shows; remove",
        ),
        (
            {"conformal": {"low": 0.8, "high": 0.9}},
            "search.conformal: acts once the network is trained, which no trial",
        ),
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
        ({"optimizer.lr": "0.1"}, 'search.optimizer.lr: "0.1" is not a dimension'),
        ({"optimizer.lr": {"choices": 0.1}}, "search.optimizer.lr: needs at least one choice"),
        ({"optimizer.lr": {"choices": [0.1], "low": 1}}, "search.optimizer.lr.low: no such key"),
        ({"optimizer.lr": {"low": True, "high": 1}}, "search.optimizer.lr.low: must be a number, not true"),
        ({"optimizer.lr": {"low": 0.1, "high": float("inf")}}, "search.optimizer.lr.high: must be a number, not"),
        ({"optimizer.lr": {"low": 0.1, "high": 1, "log": 1}}, "search.optimizer.lr.log: must be true or false, not 1"),
        ({"optimizer.lr": {"low": 0.1, "high": 1, "step": "a"}}, "search.optimizer.lr.step: must be a number above 0"),
        (
            {"optimizer.lr": {"low": -1, "high": 2, "log": True}},
            "search.optimizer.lr: a log range needs low above 0, not -1; try low: 0.002",
        ),
        (
            {"model.norm": ["none"], "optimizer.lr": {"low": 0.1, "high": 1, "when": "none"}},
            "search.optimizer.lr.when: write a setting and its value",
        ),
        (
            {"model.norm": ["none"], "optimizer.lr": {"low": 0.1, "high": 1, "when": {"model.norm": []}}},
            "search.optimizer.lr.when: model.norm needs at least one value",
        ),
        (
            {"model.dropout": {"low": 0, "high": 0.5}, "optimizer.lr": {"choices": [1], "when": {"model.dropout": 0}}},
            "search.optimizer.lr.when: model.dropout is a range",
        ),
        (
            {"optimizer.kind": ["adamw", "sgd"], "optimizer.momentum": [0.5]},
            "search.optimizer.momentum: no such setting",
        ),
        (
            {
                "optimizer.kind": ["adamw", "sgd"],
                "optimizer.momentum": {"choices": [0.5], "when": {"optimizer.kind": ["sgd", "adamw"]}},
            },
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


def test_a_setting_of_one_kind_needs_a_condition_and_the_error_says_which() -> None:
    search = {"optimizer.kind": ["sgd", "adamw"], "optimizer.momentum": {"low": 0.0, "high": 0.9}}
    with pytest.raises(LabError) as error:
        parse_space(searching(search))
    (line,) = error.value.lines
    assert line.endswith("(optimizer.kind is adamw; write when: {optimizer.kind: ...})")
    with pytest.raises(LabError) as error:
        parse_space(searching({"optimizer.lrr": [0.1]}))
    assert "write when" not in error.value.lines[0]


def test_conditions_may_depend_on_each_other() -> None:
    search = {
        "optimizer.kind": ["adamw", "sgd"],
        "optimizer.momentum": {"choices": [0.5, 0.9], "when": {"optimizer.kind": "sgd"}},
        "optimizer.nesterov": {"choices": [True], "when": {"optimizer.momentum": [0.9]}},
    }
    fixed = {"optimizer.kind": "sgd", "optimizer.momentum": 0.5, "optimizer.nesterov": True}
    with pytest.raises(LabError, match=r"search\.optimizer\.nesterov: no such setting"):
        parse_space(searching(search))  # its own condition does not exclude adamw
    search["optimizer.nesterov"]["when"]["optimizer.kind"] = "sgd"  # type: ignore[index, call-overload]
    assert suggested(search, fixed) == {"optimizer.kind": "sgd", "optimizer.momentum": 0.5}
    fixed["optimizer.momentum"] = 0.9
    assert suggested(search, fixed) == fixed


def dimension(search: dict[str, Any], name: str) -> Dimension:
    return next(found for found in parse_space(searching(search)).dimensions if found.name == name)


@pytest.mark.parametrize(
    ("content", "type_", "low", "high", "step", "log"),
    [
        ({"low": 2, "high": 2}, int, 2, 2, 1, False),
        ({"low": 2, "high": 9}, int, 2, 9, 1, False),
        ({"low": 2, "high": 10, "step": 4.0}, int, 2, 10, 4, False),
        ({"low": 2, "high": 9, "log": True}, int, 2, 9, 1, True),
    ],
)
def test_an_integer_range(content: dict[str, Any], type_: type, low: int, high: int, step: int, log: bool) -> None:
    trial = optuna.create_study().ask()
    found = dimension({"model.hidden": content}, "model.hidden")
    assert type(found.suggest(trial)) is type_
    expected = optuna.distributions.IntDistribution(low, high, log, step)
    assert trial.distributions["model.hidden"] == found.distribution() == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"low": 0, "high": 1}, optuna.distributions.FloatDistribution(0, 1)),
        ({"low": 0, "high": 1, "step": 0.25}, optuna.distributions.FloatDistribution(0, 1, step=0.25)),
        ({"low": 1, "high": 2, "log": True}, optuna.distributions.FloatDistribution(1, 2, log=True)),
        ({"low": 0.5, "high": 0.5}, optuna.distributions.FloatDistribution(0.5, 0.5)),
    ],
)
def test_a_float_range(content: dict[str, Any], expected: optuna.distributions.FloatDistribution) -> None:
    trial = optuna.create_study().ask()
    found = dimension({"optimizer.weight_decay": content}, "optimizer.weight_decay")
    value = found.suggest(trial)
    assert trial.distributions["optimizer.weight_decay"] == found.distribution() == expected
    assert expected.low <= value <= expected.high


@pytest.mark.parametrize(
    ("low", "high", "inside"), [(16, 64, True), (16, 32, True), (32, 64, True), (33, 64, False), (16, 31, False)]
)
def test_own_settings_are_parameters_if_the_space_contains_them(low: int, high: int, inside: bool) -> None:
    search: dict[str, Any] = {"model.hidden": {"low": low, "high": high}, "model.norm": ["none", "batch"]}
    own = experiment.from_sections("mine", "", BASE | {"model": {"kind": "mlp", "hidden": 32}, "search": search})
    norm = own.settings()["model.norm"]
    assert parse_space(own).own_params() == ({"model.hidden": 32, "model.norm": norm} if inside else None)


def test_own_settings_outside_the_choices_are_no_parameters_unless_the_condition_fails() -> None:
    search: dict[str, Any] = {"optimizer.kind": ["sgd", "adamw"]}
    search["optimizer.momentum"] = {"choices": [0.5], "when": {"optimizer.kind": "sgd"}}
    adamw, sgd = ({"kind": "adamw", "lr": 0.1}, {"kind": "sgd", "lr": 0.1, "momentum": 0.25})
    found = [
        parse_space(experiment.from_sections("mine", "", BASE | {"optimizer": own, "search": search})).own_params()
        for own in (adamw, sgd)
    ]
    assert found == [{"optimizer.kind": "adamw"}, None]


def test_parameters_that_the_space_could_have_suggested_have_its_distributions_and_others_none() -> None:
    search: dict[str, Any] = {"optimizer.kind": ["sgd", "adamw"], "model.hidden": {"low": 8, "high": 64}}
    search["optimizer.momentum"] = {"low": 0.0, "high": 0.9, "when": {"optimizer.kind": "sgd"}}
    space = parse_space(searching(search))
    params = {"optimizer.kind": "adamw", "model.hidden": 64}
    assert space.distributions(params) == {
        "optimizer.kind": optuna.distributions.CategoricalDistribution(("sgd", "adamw")),
        "model.hidden": optuna.distributions.IntDistribution(8, 64),
    }
    momentum = {"optimizer.momentum": 0.9}
    with_momentum = space.distributions(params | momentum | {"optimizer.kind": "sgd"})
    assert with_momentum is not None
    assert with_momentum["optimizer.momentum"] == optuna.distributions.FloatDistribution(0.0, 0.9)
    others: list[dict[str, Any]] = [momentum, {"model.hidden": 65}, {"model.hidden": True}, {"optimizer.kind": "sgd"}]
    for other in others:
        assert space.distributions(params | other) is None


def test_stored_parameters_become_settings_again() -> None:
    space = parse_space(searching({"optimizer": [{"kind": "sgd", "lr": 0.1}], "model.norm": ["none"]}))
    assert space.values_of({"optimizer": '{"kind": "sgd", "lr": 0.1}'}) == {"optimizer": {"kind": "sgd", "lr": 0.1}}
    assert space.values_of({}) == {}


def test_the_fingerprint_depends_on_the_seed_and_is_short() -> None:
    prints = [parse_space(searching({"optimizer.lr": [0.1]}).varied({"seed": seed})).fingerprint() for seed in (0, 1)]
    assert prints[0] != prints[1]
    assert all(re.fullmatch(r"[0-9a-f]{8}", text) for text in prints)
