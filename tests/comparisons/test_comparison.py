"""Comparison files: what they accept, and the errors they report."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from shipped import PROJECT

from lab.comparisons import comparison, run
from lab.comparisons.replicates import epochs_to
from lab.comparisons.statistics.design import Rule
from lab.config.experiment import SOURCES
from lab.errors import LabError

pytestmark = pytest.mark.usefixtures("empty_workplace")

SHIPPED = sorted(path.stem for path in (PROJECT / "experiments" / "comparisons").glob("*.yaml"))
GOOD: dict[str, Any] = {
    "base": "digits",
    "arms": {"relu": {"model.activation": "relu"}, "tanh": {"model.activation": "tanh"}},
}


def parsed(**changes: Any) -> comparison.Comparison:
    return comparison.parse("mine", "Why?", GOOD | changes)


NEEDS_A_RUN = ("distillation", "transfer")  # of another experiment, from whose network an arm learns


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_comparison_is_valid_and_its_arms_can_be_built(name: str) -> None:
    loaded = comparison.load(name, ["trainer.max_epochs=1"])
    assert "The claim:" in loaded.question
    assert len(loaded.arms) >= 2
    if name in NEEDS_A_RUN:
        with pytest.raises(LabError, match="no runs yet"):
            run.all_directions(loaded)
    else:
        assert loaded.metric in run.all_directions(loaded)


def test_the_first_arm_is_the_control_and_the_rule_is_that_of_the_file() -> None:
    arms = {"a": {"model.hidden": 8}, "b": {"model.hidden": 9}, "c": {"model.hidden": 10}}
    design = parsed(arms=arms, alpha=0.04, seeds="5..12", margin=0.5).design(True, 12, 0.125)
    assert (design.control, design.challengers, design.measure) == ("a", ("b", "c"), "val/accuracy")
    assert design.rule == Rule(True, 0.5, 0.04, 5, 12, 12, 0.125)


def test_epochs_to_a_target_are_better_when_fewer_and_known_up_to_the_last_epoch() -> None:
    design = parsed(metric="accuracy", reaches=0.9, settings={"trainer.max_epochs": 7}).design(True)
    assert (design.rule.higher_is_better, design.rule.limit, design.rule.resolution) == (False, 7, 1.0)


def test_what_does_not_vary_keeps_the_seed_of_the_experiment() -> None:
    chosen = parsed(varies=["init", "order"], settings={"seed": 4})
    replicate = chosen.replicate("tanh", 9)
    assert [replicate.seed_of(source) for source in SOURCES] == [4, 9, 9, 4]
    assert chosen.measure == "val/accuracy over init and order"
    assert chosen.fingerprint() != parsed(settings={"seed": 4}).fingerprint()
    every = parsed()
    assert [every.replicate("tanh", 9).seed_of(source) for source in SOURCES] == [9, 9, 9, 9]
    assert every.measure == "val/accuracy"
    assert parsed(varies=["order", "split", "init", "dropout"]).fingerprint() == every.fingerprint()
    fixed = parsed(settings={"seeds.init": 5})
    assert [fixed.replicate("tanh", 9).seed_of(source) for source in SOURCES] == [9, 5, 9, 9]
    assert fixed.measure == "val/accuracy over split and order and dropout"


def test_seeds_are_paired_with_folds_in_turn_the_same_in_every_arm() -> None:
    chosen = parsed(folds=3)
    for arm in ("relu", "tanh"):
        replicates = [chosen.replicate(arm, number) for number in (1, 2, 3, 4)]
        assert [(each.seed, each.fold) for each in replicates] == [(1, "1/3"), (2, "2/3"), (3, "3/3"), (4, "1/3")]
    assert chosen.arms["relu"].fold is None
    assert len({parsed(**folds).fingerprint() for folds in ({}, {"folds": 3}, {"folds": 4})}) == 3
    fixed = parsed(settings={"fold": "2/3"})
    assert {fixed.replicate("tanh", number).fold for number in (1, 2)} == {"2/3"}


@pytest.mark.parametrize(
    ("values", "target", "rises", "epoch"),
    [
        ([0.5, 0.7, 0.9], 0.7, True, 2),
        ([0.95, 0.7, 0.9], 0.9, True, 1),  # reached at once: the direction is the metric's, not the first value's
        ([0.5, 0.7, 0.9], 0.95, True, None),
        ([2.0, 1.0, 0.5], 1.0, False, 2),
        ([0.4, 1.0, 0.5], 0.5, False, 1),
        ([math.nan, math.nan, 0.5], 0.5, False, 3),
        ([2.0, 1.0], 0.5, False, None),
    ],
)
def test_a_target_is_reached_in_the_direction_of_the_metric(
    values: list[float], target: float, rises: bool, epoch: int | None
) -> None:
    epochs = {number: {"val/loss": value} for number, value in enumerate(values, start=1)}
    assert epochs_to(epochs, "val/loss", target, rises) == epoch


def test_settings_apply_to_all_arms_and_the_command_line_overrides_them() -> None:
    (Path("experiments/comparisons") / "mine.yaml").write_text(yaml.dump(GOOD | {"settings": {"model.hidden": 8}}))
    hidden = {arm.model.settings["hidden"] for arm in comparison.load("mine").arms.values()}
    assert hidden == {8}
    hidden = {arm.model.settings["hidden"] for arm in comparison.load("mine", ["model.hidden=9"]).arms.values()}
    assert hidden == {9}


def test_the_fingerprint_depends_on_settings_but_not_on_margin_error_rate_or_seeds() -> None:
    assert parsed().fingerprint() == parsed(margin=0.5, alpha=0.01, seeds="9..10").fingerprint()
    assert parsed().fingerprint() != parsed(settings={"model.hidden": 8}).fingerprint()
    assert parsed().fingerprint() != parsed(on="test").fingerprint()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arms": {"relu": {}}}, "arms: a comparison needs at least two"),
        ({"arms": {"a": {}, "b": {}}}, "arms.b: has the same settings as a"),
        (
            {"arms": {"a": {}, "b": {"combine_with_naive": True}}},
            "combine_with_naive: the arms differ in it, and it acts once the network is trained, which validation data",
        ),
        (
            {"arms": {"a": {"threshold": "f1"}, "b": {"threshold": 0.3}}},
            "threshold: the arms differ in it, and it acts ",
        ),
        ({"folds": 1}, "folds: must be at least 2, not 1"),
        ({"folds": 5, "settings": {"fold": "1/5"}}, "folds: the arms have a fold: of their own; leave out one of"),
        ({"arms": {"a": {"fold": "1/5"}, "b": {"fold": "2/5"}}}, "fold: the arms are tested on different folds"),
        ({"varies": []}, "varies: name at least one of split, init, order, dropout"),
        ({"varies": ["init", "init"]}, "each once"),
        ({"varies": ["init"], "settings": {"seeds.init": 3}}, "varies: init has a seed of its own in seeds.init"),
        ({"metric": "seconds_per_epoch", "reaches": 1.0}, "reaches: needs a metric of every epoch"),
        ({"varies": ["weights"]}, "varies"),
        (
            {"arms": {"a": {}, "b": {"trainer.max_epochs": 3}}, "reaches": 0.5},
            "reaches: the arms differ in trainer.max_epochs",
        ),
        (
            {"arms": {"a": {}, "b": {"model.hiden": 3}}},
            "arms.b: model.hiden: no such setting; did you mean model.hidden?",
        ),
        ({"arms": 3}, "arms: must be"),
        ({"metrik": "loss"}, "metrik: no such setting; did you mean metric?"),
        ({"margin": -1}, "margin: must be"),
        ({"seeds": "30..5"}, "seeds: the maximum, 5, is below the minimum, 30; write 5..30"),
        ({"seeds": "1..5"}, "seeds: at least 3, not 1"),
        ({"seeds": "many"}, "seeds: 'many' is not a range"),
        ({"on": "test", "reaches": 0.5}, "reaches: test data is used once"),
        ({"base": "digist"}, "no experiment 'digist' in experiments/; did you mean digits?"),
    ],
)
def test_an_error_is_reported(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError) as error:
        parsed(**changes)
    assert any(message in line for line in error.value.lines), error.value.lines


def test_what_acts_once_the_network_is_trained_is_compared_on_test_data() -> None:
    arms = {"a": {"threshold": "f1"}, "b": {"threshold": 0.3}}
    assert [arm.threshold for arm in parsed(arms=arms, on="test").arms.values()] == ["f1", 0.3]
    parsed(arms={"a": {"threshold": "f1"}, "b": {"threshold": "f1", "model.hidden": 8}})
    parsed(arms={"a": {"threshold": 0.5}, "b": {"threshold": 0.3}})
    parsed(arms={"a": {}, "b": {"combine_with_naive": True}}, metric="seconds_per_epoch")


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(LabError, match="metric: the runs have no 'acuracy'; did you mean accuracy"):
        run.all_directions(parsed(metric="acuracy"))


SMOOTH = {"kind": "cross_entropy", "label_smoothing": 0.1}
KAPPA = "torchmetrics.classification:MulticlassCohenKappa"


@pytest.mark.parametrize(
    ("metric", "arms", "message"),
    [
        ("loss", ({}, {"loss": SMOOTH}), "metric: the arms differ in loss.label_smoothing: loss is not the same in"),
        ("loss", ({}, {"loss": {"kind": "torch.nn:CrossEntropyLoss"}}), "metric: the arms differ in loss.kind"),
        ("kappa", ({}, {"metrics": {"kappa": {"kind": KAPPA}}}), "metric: a has no 'kappa'"),
        (
            "kappa",
            ({"metrics": {"kappa": {"kind": KAPPA}}}, {"metrics": {"kappa": {"kind": KAPPA, "weights": "linear"}}}),
            "metric: the arms differ in metrics.kappa",
        ),
        (
            "mine",
            (
                {"metrics": {"mine": {"kind": KAPPA}}},
                {"metrics": {"mine": {"kind": "torchmetrics.classification:MulticlassHingeLoss"}}},
            ),
            "metric: a higher mine is better in some arms and worse in others",
        ),
    ],
)
def test_a_metric_that_is_not_the_same_in_every_arm_decides_nothing(
    metric: str, arms: tuple[dict[str, Any], ...], message: str
) -> None:
    with pytest.raises(LabError) as error:
        run.all_directions(parsed(metric=metric, arms=dict(zip("ab", arms, strict=True))))
    assert str(error.value).startswith(message)


def test_a_metric_that_the_arms_share_may_be_that_of_different_losses() -> None:
    arms = {"a": {}, "b": {"loss": SMOOTH}}
    assert run.all_directions(parsed(metric="f1", arms=arms))["f1"]


def test_an_unknown_comparison_suggests_similar_names() -> None:
    with pytest.raises(LabError, match=r"no comparison 'activation' in .*; did you mean activations?"):
        comparison.load("activation")
