"""The importance of settings: what matters is found, what does not is not, and how sure that is."""

import math
from collections.abc import Callable

import numpy as np
import optuna
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression

from lab.studies.importance import (
    LEAST_TRIALS,
    Importance,
    Share,
    importance_by_permutation,
    importance_figure,
    importance_of,
)


def searched(objective: Callable[[optuna.Trial], float], trials: int, seed: int = 0) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    study.optimize(objective, n_trials=trials)
    return study


def a_choice_a_number_and_a_condition(trial: optuna.Trial) -> float:
    """`kind` matters most, `momentum` where there is one, `rate` less, `idle` not at all."""
    kind = trial.suggest_categorical("kind", ["adam", "sgd", "rmsprop"])
    rate, idle = trial.suggest_float("rate", 1e-4, 1, log=True), trial.suggest_float("idle", 0, 1)
    value = {"adam": 0.0, "sgd": 1.0, "rmsprop": 2.0}[kind] + 0.3 * abs(math.log10(rate) + 2)
    return value + (3 * trial.suggest_float("momentum", 0, 1) if kind == "sgd" else 0) + 0.01 * idle


@pytest.mark.parametrize("seed", range(3))
def test_choices_and_conditional_settings_count_and_idle_ones_do_not(seed: int) -> None:
    found = importance_of(searched(a_choice_a_number_and_a_condition, 80, seed))
    assert next(iter(found.shares)) == "kind"
    assert found.shares["momentum"].value > 0.05
    assert found.shares["idle"].value < 0.02
    assert sum(share.value for share in found.shares.values()) == pytest.approx(1, abs=0.1)
    for share in found.shares.values():
        assert 0 <= share.low <= share.value <= share.high <= 1


def test_what_is_lost_without_a_setting_is_that_of_scikit_learn_and_of_the_closed_form() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 3))
    scores = 3 * x[:, 0] + x[:, 1]
    model = LinearRegression().fit(x, scores)
    theirs = permutation_importance(model, x, scores, scoring="neg_mean_squared_error", n_repeats=5, random_state=0)
    ours = importance_by_permutation(model.predict, x, scores, rng)
    assert ours == pytest.approx(theirs.importances_mean, rel=0.1, abs=1e-9)
    assert ours == pytest.approx([2 * 9, 2 * 1, 0], rel=0.1, abs=1e-9)  # twice the variance that a column explains


def test_the_interval_is_wider_where_trials_are_fewer() -> None:
    few, many = (importance_of(searched(a_choice_a_number_and_a_condition, trials)) for trials in (15, 100))
    assert few.shares["kind"].high - few.shares["kind"].low > many.shares["kind"].high - many.shares["kind"].low
    assert many.sentence().endswith("(from 100 trials)")


def test_too_few_trials_and_pure_noise_give_no_importance() -> None:
    few = importance_of(searched(a_choice_a_number_and_a_condition, LEAST_TRIALS - 1))
    assert few.sentence() == "not estimated from 11 finished trials; 12 are the least"
    rng = np.random.default_rng(0)
    noise = importance_of(searched(lambda trial: trial.suggest_float("x", 0, 1) * 0 + rng.normal(), 40))
    assert noise.sentence() == "40 finished trials do not show that any setting matters"


def test_only_finished_trials_count() -> None:
    study = searched(a_choice_a_number_and_a_condition, 20)
    before = importance_of(study)
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    assert importance_of(study) == before


def test_none_is_a_choice_like_any_other() -> None:
    def objective(trial: optuna.Trial) -> float:
        clipped = trial.suggest_categorical("clip", [None, 1.0])
        return (0.0 if clipped is None else 1.0) + 0.01 * trial.suggest_float("idle", 0, 1)

    assert importance_of(searched(objective, 40)).shares["clip"].value > 0.7


def test_the_least_number_of_trials_is_enough() -> None:
    least = importance_of(searched(a_choice_a_number_and_a_condition, LEAST_TRIALS))
    assert least.trials == LEAST_TRIALS
    assert "not estimated" not in least.sentence()


def test_the_figure_shows_the_largest_on_top_with_its_interval() -> None:
    found = Importance({"rate": Share(0.7, 0.5, 0.8), "idle": Share(0.3, 0.1, 0.4)}, 20)
    (bars,) = importance_figure(found).data
    assert (list(bars.y), list(bars.x)) == (["idle", "rate"], [0.3, 0.7])  # plotly draws the first at the bottom
    assert list(bars.error_x.array) == pytest.approx([0.1, 0.1])
    assert list(bars.error_x.arrayminus) == pytest.approx([0.2, 0.2])
