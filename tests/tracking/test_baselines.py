"""How a run stands against its baselines, from its tags and metrics, of this version or an earlier one."""

from lab.tracking.reading import baselines
from lab.tracking.reading.baselines import METRIC_TAG, QUICK_TAG, TRIVIAL_TAG

TAGS = {METRIC_TAG: "balanced_accuracy", TRIVIAL_TAG: "majority class", QUICK_TAG: "logistic regression"}
METRICS = {
    "test/accuracy": 0.99,
    "test/balanced_accuracy": 0.7,
    "low/test/balanced_accuracy": 0.6,
    "high/test/balanced_accuracy": 0.8,
    "baseline/test/balanced_accuracy": 0.5,
    "quick_baseline/test/balanced_accuracy": 0.65,
}


def test_a_run_is_judged_by_its_main_metric_against_both() -> None:
    found = baselines.standing_of(TAGS, METRICS)
    assert found is not None
    assert found.sentence == (
        "Not clearly better than logistic regression: test/balanced_accuracy 0.7000 [0.6000, 0.8000] against 0.6500; "
        "the majority class has 0.5000."
    )


def test_a_run_of_an_earlier_version_is_judged_by_the_usual_metric_of_its_task() -> None:
    tags = {"lab.task": "classification", METRIC_TAG: float("nan"), TRIVIAL_TAG: float("nan")}
    found = baselines.standing_of(tags, {"test/accuracy": 0.5, "baseline/test/accuracy": 0.6})
    assert found is not None
    assert found.sentence == "No better than the majority class: test/accuracy 0.5000 against 0.6000."


def test_a_run_without_baselines_is_not_judged() -> None:
    assert baselines.standing_of({}, {"val_loss": 0.3}) is None
    assert baselines.standing_of({"lab.task": "own"}, {"test/accuracy": 0.3}) is None
    assert baselines.standing_of(TAGS, {"test/accuracy": 0.3}) is None
    assert baselines.as_tags("", "", "") == {}
