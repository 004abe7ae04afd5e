"""The bench of quality: two tiny sets end to end, and its arithmetic against closed values."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from benchmarks.measuring import workplace
from benchmarks.quality import page, trainings
from benchmarks.quality.baselines import convolutions, forecasts
from benchmarks.quality.kinds import KINDS
from benchmarks.quality.ranks import WinRate, bootstrap, ranks, win_rate
from benchmarks.quality.scores import LAB, Mean, Score, as_row, means
from shipped import PROJECT
from statsmodels.tsa.stattools import acf

from lab.parallel.jobs import Job, train_job
from lab.tracking.reading.baselines import TRIVIAL

QUICKLY = ["trainer.max_epochs=2"]


@pytest.fixture(scope="module")
def measured() -> dict[str, list[Score]]:
    """All scores of a table and of a series, with one seed."""
    return {kind: trainings.measure(kind, name, 0) for kind, name in (("tables", "statecrime"), ("series", "nile"))}


def test_a_set_is_measured_from_its_file_to_the_scores_of_all_methods(measured: dict[str, list[Score]]) -> None:
    for kind, scores in measured.items():
        assert [score.method for score in scores] == [LAB, *KINDS[kind].methods]
        assert {score.seed for score in scores} == {0}
        installed = [score.value for score in scores if score.method != "LightGBM"]
        assert all(value is not None and math.isfinite(value) for value in installed)


def test_changed_settings_are_measured_on_the_same_rows(measured: dict[str, list[Score]]) -> None:
    unchanged = trainings.lab_scores("tables", names=["statecrime"], seeds=[0])
    assert unchanged["statecrime", 0] == pytest.approx(measured["tables"][0].value)
    assert trainings.lab_scores("tables", QUICKLY, ["statecrime"], [0]) != unchanged


def test_forecasts_are_made_for_the_windows_on_which_the_lab_is_tested(measured: dict[str, list[Score]]) -> None:
    kind = KINDS["series"]
    with workplace(shipped=False):
        experiment = trainings.written(kind, "nile", 0, QUICKLY)
        metrics = train_job(Job(0, "nile", experiment.to_yaml(), test=True), lambda *_: False).metrics
    trivial = kind.score(kind.sets["nile"], {"test/mae": metrics[f"{TRIVIAL}test/mae"]})
    assert trivial == pytest.approx(measured["series"][1].value, rel=1e-5)


def test_what_is_not_installed_is_said_and_not_ranked(measured: dict[str, list[Score]]) -> None:
    scores = [dataclasses.replace(s, value=None) if s.method == "LightGBM" else s for s in measured["tables"]]
    sets, methods = page.tables("tables", scores)
    assert "Not installed, and so not measured: LightGBM." in sets.note
    assert "–" in sets.rows[0]
    assert "LightGBM" not in [row[0] for row in methods.rows]


def test_the_page_has_goals_and_tables_and_keeps_what_people_wrote(tmp_path: Path) -> None:
    path = tmp_path / "quality.md"
    path.write_text(f"old\n\n{page.BY_HAND}\n\nOn none.\n")
    values = {LAB: 0.9, "random forest": 0.8, "HistGradientBoosting": 0.95}
    rows = [as_row(Score(name, method, 0, value, 1.0)) for name in ("iris", "wine") for method, value in values.items()]
    text = page.written({"tables": {"measured": "Measured.", "scores": rows}}, path)
    assert "| tables: win rate against HistGradientBoosting | 0 % | at least 50 % | no |" in text
    assert "| tables: mean rank, less that of the random forest | -1 | at most 0 | yes |" in text
    assert "| 0.900 | – | 0.800 | **0.950** | – | 1 |" in text
    assert text.endswith(f"{page.BY_HAND}\n\nOn none.\n")


def test_a_score_is_the_mean_over_seeds_with_its_standard_error() -> None:
    scores = [Score("iris", LAB, seed, value, 2.0) for seed, value in enumerate([1.0, 2.0, 3.0])]
    assert means(scores) == {"iris": {LAB: Mean(2.0, pytest.approx(1 / math.sqrt(3)), 2.0)}}


def test_methods_are_ranked_set_by_set_and_ties_share_their_places() -> None:
    scores = {"a": [0.9, 0.5], "b": [0.8, 0.5], "c": [0.7, 0.6]}
    assert ranks(scores, higher_is_better=True) == {"a": [1, 2.5], "b": [2, 2.5], "c": [3, 1]}
    assert ranks(scores, higher_is_better=False) == {"a": [3, 1.5], "b": [2, 1.5], "c": [1, 3]}


def test_a_win_rate_counts_ties_as_half_and_has_wilsons_interval() -> None:
    rate = win_rate([0.9, 0.5, 0.1], [0.8, 0.5, 0.2], higher_is_better=True)
    assert (rate.wins, rate.ties, rate.losses, rate.share) == (1, 1, 1, 0.5)
    assert win_rate([1.0, 1.0], [2.0, 3.0], higher_is_better=False).share == 1.0
    assert WinRate(8, 0, 10).interval == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Wilson (1927)


def test_the_bootstrap_of_many_sets_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)
    half = 1.96 * values.std() / 20
    assert bootstrap(values.tolist()) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_the_errors_of_forecasts_on_a_straight_line_are_known() -> None:
    line = np.arange(100.0)
    found = {score.method: score.value for score in forecasts.scores("line", line, 80, 4, 4, 0)}
    assert found["last value"] == pytest.approx((1 + 2 + 3 + 4) / 4 / 4)
    assert found["seasonal naive"] == pytest.approx(1.0)
    assert found["ETS"] == pytest.approx(0.0, abs=1e-6)


def test_shorter_sequences_go_on_with_their_last_value() -> None:
    x = np.array([[[1.0, 2.0, np.nan, np.nan], [5.0, 6.0, np.nan, np.nan]]])
    assert convolutions.continued(x).tolist() == [[[1, 2, 2, 2], [5, 6, 6, 6]]]


@pytest.mark.parametrize("kind", ["sequences", "images"])
def test_sets_are_made_the_same_at_every_call(kind: str) -> None:
    for samples in KINDS[kind].sets.values():
        (x, y), (again, labels) = samples.make(), samples.make()
        assert np.array_equal(x, again, equal_nan=x.dtype.kind == "f")
        assert (y == labels).all()


def test_series_are_made_the_same_at_every_call_without_gaps_and_in_order() -> None:
    for series in KINDS["series"].sets.values():
        values = series.read()
        assert values.equals(series.read())
        assert np.isfinite(values).all()
        assert values.index.is_monotonic_increasing
        assert values.index.is_unique


def test_the_made_cycle_has_the_autocorrelations_of_its_equation() -> None:
    values = KINDS["series"].sets["cycle"].read().to_numpy()
    first = 1.6 / (1 + 0.8)  # Yule (1927), Walker (1931)
    expected = [first, 1.6 * first - 0.8]
    assert acf(values, nlags=2)[1:] == pytest.approx(expected, abs=0.05)


def test_the_page_is_written_from_the_stored_scores() -> None:
    from benchmarks.quality.__main__ import PAGE, content

    assert PROJECT / "docs" / "quality.md" == PAGE
    assert page.written(content(), PAGE) == PAGE.read_text(encoding="utf-8")
