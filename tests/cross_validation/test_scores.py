"""The mean over folds and its interval, against closed forms and simulated cross-validations."""

import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lab.config.types import Fold
from lab.cross_validation.scores import FoldScores, StoredFoldScores, mean_over_folds
from lab.errors import LabError

SCORES = [0.81, 0.79, 0.86, 0.83, 0.80]


def test_the_interval_is_students_with_the_variance_of_nadeau_and_bengio() -> None:
    mean = mean_over_folds(SCORES, 5)
    assert (mean.n, mean.value, mean.deviation) == (5, statistics.fmean(SCORES), statistics.stdev(SCORES))
    tested, trained = 20, 80  # of 100 samples
    error = math.sqrt((1 / 5 + tested / trained) * statistics.variance(SCORES))
    expected = stats.t.interval(0.95, df=4, loc=mean.value, scale=error)
    assert (mean.low, mean.high) == pytest.approx(expected, rel=1e-12)


def test_the_folds_that_finished_have_the_interval_of_as_many() -> None:
    mean = mean_over_folds(SCORES[:3], 5)
    error = math.sqrt((1 / 3 + 1 / 4) * statistics.variance(SCORES[:3]))
    assert mean.high - mean.value == pytest.approx(stats.t(df=2).ppf(0.975) * error, rel=1e-12)


def test_one_fold_has_no_interval() -> None:
    mean = mean_over_folds([0.8], 5)
    assert (mean.value, mean.low, mean.high) == (0.8, -math.inf, math.inf)


def test_the_interval_covers_the_expected_error_about_as_often_as_it_says() -> None:
    """A least-squares fit of 40 samples, 10 folds: its expected squared error on new samples is known by simulation."""
    random = np.random.default_rng(0)

    def sample(count: int) -> tuple[np.ndarray, np.ndarray]:
        x = random.normal(size=(count, 3))
        return x, x.sum(axis=1) + random.normal(size=count)

    def error(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float:
        weights = np.linalg.lstsq(*train, rcond=None)[0]
        return float(np.square(test[0] @ weights - test[1]).mean())

    truth = statistics.fmean(error(sample(36), sample(200)) for _ in range(4000))
    corrected = naive = 0
    for _ in range(1000):
        x, y = sample(40)
        scores = [
            error((np.delete(x, fold, 0), np.delete(y, fold)), (x[fold], y[fold]))
            for fold in np.arange(40).reshape(10, 4)
        ]
        mean = mean_over_folds(scores, 10)
        half = float(stats.t(df=9).ppf(0.975)) * mean.deviation / math.sqrt(10)
        corrected += mean.low < truth < mean.high
        naive += abs(mean.value - truth) < half
    assert 0.94 < corrected / 1000 < 1.0
    assert naive < corrected


def test_each_metric_of_the_test_is_the_mean_over_the_folds_that_have_it() -> None:
    scores = FoldScores(4)
    assert (scores.metrics, scores.mean("test/f1")) == ([], None)
    scores.add(3, {"test/loss": 0.5, "test/f1": 0.8, "val/f1": 0.9})
    scores.add(1, {"test/loss": 0.3, "test/f1": 0.6, "test/auroc": 0.7})
    assert scores.metrics == ["test/f1", "test/auroc", "test/loss"]
    assert scores.mean("test/f1") == mean_over_folds([0.6, 0.8], 4)
    assert scores.mean("test/auroc") == mean_over_folds([0.7], 4)
    assert scores.todo() == [Fold(2, 4), Fold(4, 4)]


@pytest.mark.usefixtures("empty_workplace")
def test_finished_folds_are_there_again_until_they_are_forgotten() -> None:
    scores = StoredFoldScores("mine", 5)
    scores.add(2, {"test/f1": 0.8, "test/loss": math.nan})
    again = StoredFoldScores("mine", 5)
    assert again.journal == scores.journal
    assert again.finished[2]["test/f1"] == 0.8
    assert math.isnan(again.finished[2]["test/loss"])
    again.forget()
    again.forget()  # there is none any more
    assert not StoredFoldScores("mine", 5).finished


def test_a_damaged_file_is_refused(empty_workplace: Path) -> None:
    path = StoredFoldScores("mine", 5).path
    path.parent.mkdir(parents=True)
    path.write_text('{"journal": "1"}')
    with pytest.raises(LabError, match=r"mine\.json: damaged; move it away"):
        StoredFoldScores("mine", 5)
