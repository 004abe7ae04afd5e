"""The best trials, the best so far, and the intervals of the winners; robust ranges and patterns of metrics."""

import itertools

import numpy as np
import pandas as pd
import pytest
from made_runs import make_run
from scipy import stats

from dashboard import selection
from dashboard.compare.comparison import CurveOptions, Group
from dashboard.figures import curve_math, group_curves
from dashboard.studies import charts as study_charts
from dashboard.studies import stored as studies
from lab.tracking import store
from lab.tracking.reading.tables import open_tables

TRIALS = pd.DataFrame(
    {
        "number": [0, 1, 2, 3],
        "state": ["COMPLETE", "PRUNED", "COMPLETE", "COMPLETE"],
        "value": [0.5, 0.1, 0.3, 0.4],
        "optimizer.lr": [0.1, 0.2, 0.3, 0.4],
        "duration": [1.0, 1.0, 1.0, 1.0],
    }
)


def test_the_best_so_far_is_that_of_finished_trials() -> None:
    assert study_charts.best_so_far(TRIALS, False)["best"].tolist() == [0.5, 0.3, 0.3]
    assert study_charts.best_so_far(TRIALS, True)["best"].tolist() == [0.5, 0.5, 0.5]


def test_the_best_trials_with_their_settings_and_runs() -> None:
    best = study_charts.best_trials(TRIALS, False, {2: "/run?run=abc"})
    assert best.columns.tolist() == ["trial", "value", "optimizer.lr", "open"]
    assert best["trial"].tolist() == [2, 3, 0]
    assert best["open"].tolist()[0] == "/run?run=abc"


def test_the_history_has_the_states_apart_and_says_how_long_the_best_has_stood() -> None:
    chart = study_charts.history_chart(TRIALS, False)
    assert [trace.name for trace in chart.figure.data] == ["complete", "pruned", "best so far"]
    assert chart.notes == ("the best was found in trial 2; 1 finished trial since",)


def test_twice_as_many_trials_promise_what_the_second_half_brought_in_random_order() -> None:
    values = [0.9, 0.5, 0.7, 0.3, 0.8, 0.2, 0.6, 0.4]
    trials = pd.DataFrame({"number": range(8), "state": "COMPLETE", "value": values})
    halves = [max(half) for half in itertools.combinations(values, 4)]
    (said,) = study_charts.more_trials(trials, True, 0.05)
    assert f"a gain of about {0.9 - np.mean(halves):.4g} or less; another seed of the winner changes 0.05" in said
    (said,) = study_charts.more_trials(trials, False, np.nan)
    lowest = np.mean([min(half) for half in itertools.combinations(values, 4)])
    assert said.endswith(f"a gain of about {lowest - 0.2:.4g} or less")
    assert study_charts.more_trials(trials.head(7), True, 0.05) == []


def test_a_study_without_a_finished_trial() -> None:
    running = TRIALS.assign(state="RUNNING", value=np.nan)
    assert study_charts.history_chart(running, True).notes == ("4 trials without a value", "no trial has finished")
    assert not len(study_charts.best_trials(running, True, {}))


def test_the_interval_of_a_mean_over_seeds_is_students() -> None:
    values = np.array([0.90, 0.94, 0.95])
    row = {"candidate": "trial 1", "mean": values.mean(), "sd": values.std(ddof=1), "seeds": 3}
    found = study_charts.with_interval(pd.DataFrame([row])).iloc[0]
    expected = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    assert (found["low"], found["high"]) == pytest.approx(expected, abs=1e-9)


def test_trials_are_linked_to_their_runs(workplace: object) -> None:
    tags = {"lab.kind": "trial", "lab.study": "mine", "lab.trial": "3"}
    run = make_run(store.client(), "p", "trial 3", tags=tags)
    assert studies.runs_of_trials(open_tables().runs(), "mine") == {3: f"/run?run={run[:8]}"}


def test_a_robust_range_leaves_out_one_peak() -> None:
    y = np.append(np.linspace(0, 1, 99), 1e6)
    found = curve_math.robust_range(y)
    assert found is not None
    assert found[0] == 0
    assert 1 < found[1] < 2
    assert curve_math.robust_range(np.linspace(0, 1, 99)) is None
    assert curve_math.robust_range(np.array([np.nan])) is None


def test_a_chart_without_outliers_says_so() -> None:
    curve = pd.DataFrame({"x": np.arange(100.0), "y": np.append(np.linspace(0, 1, 99), 1e6)})
    groups = [Group("a", ("r",))]
    chart = group_curves.group_chart({"r": curve}, groups, "loss", CurveOptions(robust=True))
    assert "the y range leaves out outliers" in chart.notes
    assert chart.figure.layout.yaxis.range[1] < 2
    assert group_curves.group_chart({"r": curve}, groups, "loss", CurveOptions()).figure.layout.yaxis.range is None


def test_metrics_by_pattern() -> None:
    names = ["val/loss", "val/f1", "train/loss"]
    assert selection.matching(names, ["val/*", "val/loss"]) == ["val/loss", "val/f1"]
    assert selection.matching(names, ["gone*"]) == ["gone*"]
