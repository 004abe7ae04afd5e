"""A study whose search space was changed uses the earlier trials that still fit."""

import optuna
import pytest
from searching import run

from lab.studies import storage
from lab.studies.earlier_trials import ADOPTED_FROM
from lab.studies.search import Counts

LR = "optimizer.lr: {low: 1e-3, high: 1e-1, log: true}"


def trials_of(name: str) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=name, storage=storage.address()).trials


@pytest.mark.timeout(300)
def test_a_choice_more_and_one_less_keeps_the_trials_of_the_others(
    searched: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"trials": 6, "top": 1, "seeds": 1, "pruner": "none", "sampler": "random"}
    first = run(searched, f"search={{model.hidden: [8, 16], {LR}}}", **options)
    fitting = [trial for trial in trials_of(first.name) if trial.params["model.hidden"] == 16]
    assert 0 < len(fitting) < 6
    capsys.readouterr()
    second = run(searched, f"search={{model.hidden: [16, 32], {LR}}}", **options)
    told = f"lab: the search space is new: {len(fitting)} of 6 finished trials of earlier spaces fit it and are used\n"
    assert capsys.readouterr().err == told
    assert second.counts == Counts(6, 0, 0)
    trials = trials_of(second.name)
    adopted = [trial for trial in trials if ADOPTED_FROM in trial.user_attrs]
    assert [(trial.params, trial.value) for trial in adopted] == [(trial.params, trial.value) for trial in fitting]
    assert [trial.user_attrs[ADOPTED_FROM] for trial in adopted] == [[first.name, one.number] for one in fitting]
    assert len(trials) == 6
    assert {trial.params["model.hidden"] for trial in trials} == {16, 32}
    run(searched, f"search={{model.hidden: [16, 32], {LR}}}", "optimizer.weight_decay=0.5", **(options | {"trials": 1}))
    assert capsys.readouterr().err == ""  # other settings: their scores say nothing here
