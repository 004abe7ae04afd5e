"""The baselines of a run as they are recorded: which they are, and by which metric a result is compared with them."""

from collections.abc import Mapping

from lab.display.standing import Baseline, Standing, standing
from lab.tracking.reading.directions import TAG, higher_is_better, recorded

METRIC_TAG = "lab.main_metric"  # without its split
TRIVIAL_TAG, QUICK_TAG = "lab.baseline", "lab.quick_baseline"  # their names
TRIVIAL, QUICK = "baseline/", "quick_baseline/"  # what stands before their metrics
# Versions up to 0.5 recorded neither; by task, main metric and trivial baseline.
EARLIER = {
    "classification": ("accuracy", "majority class"),
    "regression": ("r2", "training mean"),
    "forecasting": ("skill", "last value"),
}


def as_tags(metric: str, trivial: str, quick: str) -> dict[str, str]:
    """The tags of a run with these baselines; none for a name that is empty."""
    tags = {METRIC_TAG: metric, TRIVIAL_TAG: trivial, QUICK_TAG: quick}
    return {tag: text for tag, text in tags.items() if text}


def standing_of(tags: Mapping[str, object], metrics: Mapping[str, float]) -> Standing | None:
    """How a run stands against its baselines, from what it recorded; None where it recorded no baseline."""
    _, earlier_name = EARLIER.get(str(tags.get("lab.task")), ("", ""))
    metric = f"test/{main_metric(tags)}"
    names = {TRIVIAL: f"the {_text(tags.get(TRIVIAL_TAG)) or earlier_name}", QUICK: _text(tags.get(QUICK_TAG))}
    if metric not in metrics:
        return None
    found = [Baseline(name, metrics[f"{of}{metric}"]) for of, name in names.items() if f"{of}{metric}" in metrics]
    low, high = (metrics.get(f"{end}/{metric}") for end in ("low", "high"))
    interval = (low, high) if low is not None and high is not None else None
    return standing(metric, metrics[metric], interval, found, main_is_better_high(tags))


def main_metric(tags: Mapping[str, object]) -> str:
    """The metric, without its split, by which a run is compared with its baselines; "" where it has none."""
    return _text(tags.get(METRIC_TAG)) or EARLIER.get(str(tags.get("lab.task")), ("", ""))[0]


def main_is_better_high(tags: Mapping[str, object]) -> bool:
    """Whether that metric is better when it is high, as all of the lab's tasks are."""
    return higher_is_better(main_metric(tags), recorded([tags.get(TAG)])) is not False


def _text(value: object) -> str:
    """A tag's text; "" where the run has none, which a table of runs shows as NaN."""
    return value if isinstance(value, str) else ""
