"""How much each searched setting matters: permutation importance of a random forest, with an interval.

Optuna's PED-ANOVA gives 0 to a categorical setting that matters and leaves out settings that only some trials have;
a forest takes both. Pure: nothing here trains or stores.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from optuna import Study
    from plotly.graph_objects import Figure

LEAST_TRIALS = 12  # finished ones, below which nothing is said
RESAMPLES = 30  # of the trials: the interval holds the middle 90 % of what they give
TREES = 40
SHUFFLES = 5  # of each setting
MISSING = object()  # the value of a setting that a trial does not have; None may be a choice
COLOUR = "#0072B2"


@dataclass(frozen=True)
class Share:
    """The share of a setting in what the settings explain, and the interval of that share."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Importance:
    """The share of each setting, the largest first; none where there are too few trials or nothing is explained."""

    shares: dict[str, Share]
    trials: int  # that finished

    def sentence(self) -> str:
        """The shares as text, or why there are none."""
        if self.trials < LEAST_TRIALS:
            return f"not estimated from {self.trials} finished trials; {LEAST_TRIALS} are the least"
        if not self.shares:
            return f"{self.trials} finished trials do not show that any setting matters"
        shown = [
            f"{name} {share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"
            for name, share in list(self.shares.items())[:6]
        ]
        return f"{'  '.join(shown)}  (from {self.trials} trials)"


def importance_of(study: "Study") -> Importance:
    """The importance of the settings of a study, from its finished trials."""
    from scipy.stats import rankdata

    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    if len(trials) < LEAST_TRIALS:
        return Importance({}, len(trials))
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    settings = {name: [trial.params.get(name, MISSING) for trial in trials] for name in names}
    scores = rankdata([float(trial.value or 0.0) for trial in trials])
    found = _resampled(as_numbers(settings), scores)
    shares = {
        name: Share(float(np.median(column)), *(float(end) for end in np.quantile(column, (0.05, 0.95))))
        for name, column in zip(settings, found.T, strict=True)
        if len(found)
    }
    return Importance(dict(sorted(shares.items(), key=lambda item: -item[1].value)), len(trials))


def as_numbers(settings: Mapping[str, Sequence[Any]]) -> NDArray[np.float64]:
    """Settings (trials, settings) as numbers: choices by their order of appearance.

    A trial without a setting (MISSING) gets the median of the others, so that whether it has one counts for the choice
    that it depends on alone.
    """
    return np.column_stack([_numbers(values) for values in settings.values()])


def _numbers(values: Sequence[Any]) -> NDArray[np.float64]:
    present = [value for value in values if value is not MISSING]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        found = {value: float(value) for value in present}
    else:
        found = {value: float(number) for number, value in enumerate(dict.fromkeys(present))}
    numbers = np.array([math.nan if value is MISSING else found[value] for value in values])
    return np.where(np.isnan(numbers), np.nanmedian(numbers), numbers)


def _resampled(x: NDArray[np.float64], scores: NDArray[Any]) -> NDArray[np.float64]:
    """The shares (resamples, settings), each of a forest that some trials grew and the others judge."""
    from sklearn.ensemble import RandomForestRegressor

    rng = np.random.default_rng(0)
    found = []
    for number in range(RESAMPLES):
        drawn = rng.integers(len(x), size=len(x))
        left = np.setdiff1d(np.arange(len(x)), drawn)
        forest = RandomForestRegressor(TREES, min_samples_leaf=2, random_state=number).fit(x[drawn], scores[drawn])
        if len(left) < 2 or forest.score(x[left], scores[left]) <= 0:
            continue  # this forest explains nothing
        shuffles = np.random.default_rng(number)
        lost = np.maximum(importance_by_permutation(forest.predict, x[left], scores[left], shuffles), 0.0)
        if lost.sum() > 0:
            found.append(lost / lost.sum())
    return np.array(found) if len(found) > RESAMPLES / 2 else np.empty((0, x.shape[1]))


def importance_by_permutation(
    predict: Callable[[NDArray[Any]], NDArray[Any]], x: NDArray[Any], scores: NDArray[Any], rng: np.random.Generator
) -> NDArray[np.float64]:
    """By how much the mean squared error rises with the values of each setting shuffled, (settings,).

    As scikit-learn's `permutation_importance` with that error, in one prediction for all shuffles: a forest takes
    milliseconds for each call, however few its rows are.
    """
    rows, settings = x.shape
    shuffled = np.tile(x, (settings, SHUFFLES, 1, 1))
    for setting in range(settings):
        shuffled[setting, :, :, setting] = rng.permuted(shuffled[setting, :, :, setting], axis=1)
    predicted = predict(np.concatenate([x, shuffled.reshape(-1, settings)]))
    errors = ((predicted.reshape(-1, rows) - scores) ** 2).mean(axis=1)
    risen: NDArray[np.float64] = errors[1:].reshape(settings, SHUFFLES).mean(axis=1) - errors[0]
    return risen


def importance_figure(importance: Importance) -> "Figure":
    """The shares as bars with their intervals, the largest on top."""
    import plotly.graph_objects as go

    names, shares = list(importance.shares)[::-1], list(importance.shares.values())[::-1]
    above, below = [each.high - each.value for each in shares], [each.value - each.low for each in shares]
    errors = {"type": "data", "array": above, "arrayminus": below}
    drawn = go.Figure(go.Bar(x=[each.value for each in shares], y=names, orientation="h", error_x=errors))
    drawn.update_traces(marker_color=COLOUR)
    title = f"Importance of the settings, from {importance.trials} finished trials"
    return drawn.update_layout(title=title, xaxis_title="share, 90 % interval", template="simple_white")
