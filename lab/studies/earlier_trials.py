"""Trials of studies of the same settings with another search space: those that fit the new space are used again."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.studies import storage
from lab.studies.space import Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

ADOPTED_FROM = "lab.adopted_from"  # user attribute of a trial: the study and the number that it had there


def adopt(study: "Study", space: Space, metric: str) -> str:
    """Add the finished trials of earlier studies that fit the space to a new study; a line about them, or ""."""
    if study.get_trials(deepcopy=False):
        return ""
    settings = space.fingerprint_of_settings(metric)
    study.set_user_attr(storage.SETTINGS, settings)
    found = fitting = 0
    seen = []
    for name, trial in _earlier(study, settings):
        if ADOPTED_FROM in trial.user_attrs:
            continue  # it is met in its own study, too
        found += 1
        if trial.params not in seen and _add(study, space, name, trial):
            seen.append(trial.params)
            fitting += 1
    if not found:
        return ""
    return f"the search space is new: {fitting} of {found} finished trials of earlier spaces fit it and are used"


def _earlier(study: "Study", settings: str) -> "Iterator[tuple[str, FrozenTrial]]":
    for other in storage.load_studies():
        if other.study_name == study.study_name or other.user_attrs.get(storage.SETTINGS) != settings:
            continue
        if other.direction == study.direction:
            complete = (trial for trial in other.get_trials(deepcopy=False) if trial.state.name == "COMPLETE")
            yield from ((other.study_name, trial) for trial in complete)


def _add(study: "Study", space: Space, name: str, trial: "FrozenTrial") -> bool:
    """Add a trial as one of the study, unless its settings lie outside the space."""
    from optuna.trial import create_trial

    distributions = space.distributions(trial.params)
    if distributions is None:
        return False
    with contextlib.suppress(ValueError):  # off the steps of a range
        study.add_trial(
            create_trial(
                state=trial.state,
                value=trial.value,
                params=trial.params,
                distributions=distributions,
                user_attrs={
                    "best_epoch": trial.user_attrs.get("best_epoch"),
                    ADOPTED_FROM: [name, trial.number],
                },
                intermediate_values=trial.intermediate_values,
            )
        )
        return True
    return False
