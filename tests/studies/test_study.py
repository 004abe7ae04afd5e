"""Whole studies on a real storage and a real store: searched, confirmed, interrupted, continued."""

import dataclasses
import re
import sys
from pathlib import Path

import pytest
from rich.console import Console
from searching import children, run, stored

from lab.config.experiment import Experiment, load
from lab.data.base import DataModule
from lab.display.output import as_text
from lab.errors import LabError, TrainingFailed
from lab.parallel import jobs
from lab.parallel.jobs import prepared_data
from lab.studies import report, samplers, storage
from lab.studies.search import Counts
from lab.studies.study import StudyResult
from lab.tracking import store
from lab.training import run as training_run


class TestAStudy:
    """A study of four trials, and all that it records."""

    @pytest.fixture
    def result(self, searched: str) -> StudyResult:
        return run(searched, pruner="none")

    def test_everything_is_recorded(self, result: StudyResult) -> None:
        self.check_ranking(result)
        self.check_optuna(result)
        self.check_mlflow(result)
        self.check_continued(result)

    def check_ranking(self, result: StudyResult) -> None:
        assert result.counts.done == 4
        assert {candidate.name for candidate in result.ranked} > {"defaults"}
        assert result.verdicts.keys() == {candidate.name for candidate in result.ranked} - {"defaults"}
        assert all(candidate.search_score is not None for candidate in result.ranked)
        assert [len(candidate.fresh) for candidate in result.ranked] == [2, 2]
        means = [candidate.mean for candidate in result.ranked]
        assert means == sorted(means, reverse=True)
        assert result.final.experiment.settings() | {"loss.kind": 0, "loss.label_smoothing": 0} == (
            result.winner.experiment.settings() | {"loss.kind": 0, "loss.label_smoothing": 0}
        )

    def check_optuna(self, result: StudyResult) -> None:
        opened = stored()
        assert opened.study_name == result.name
        best = max((t.value, t.number) for t in opened.trials if t.value is not None)
        assert max(one.search_score or 0.0 for one in result.ranked) == best[0]  # which may be the defaults

    def check_mlflow(self, result: StudyResult) -> None:
        (parent,) = children("study")
        assert (parent.info.run_id, parent.info.status) == (result.run_id, "FINISHED")
        trials = children("trial")
        assert len(trials) == 4
        for child in [*trials, *children("fresh seed"), *children("winner")]:
            assert child.data.tags["mlflow.parentRunId"] == result.run_id
            assert child.info.status == "FINISHED"
        tested = [run for run in store.client().search_runs(["1"]) if "test/accuracy" in run.data.metrics]
        assert {run.data.tags["lab.kind"] for run in tested} == {"study", "winner", "tested seed"}
        assert {run.data.tags["lab.candidate"] for run in children("tested seed")} == {result.winner.name}
        scores = [run.data.metrics["test/accuracy"] for run in children("tested seed")]
        assert sorted(run.data.params["seed"] for run in children("tested seed")) == ["1", "2"]
        assert result.tested.value == pytest.approx(sum(scores) / 2)
        assert parent.data.metrics["fresh/test/accuracy"] == result.tested.value
        assert sorted({run.data.params["seed"] for run in children("fresh seed")}) == ["1", "2"]
        shown = re.search(r"^report +(.*)$", as_text(report.summary(result)), re.MULTILINE)
        assert shown
        page = Path(shown[1]).read_text()
        assert "Plotly.newPlot" in page
        assert 'src="http' not in page

    def check_continued(self, result: StudyResult) -> None:
        """The same command with more trials continues the same study and the same parent run."""
        again = run("tiny", trials=6)
        assert again.run_id == result.run_id
        assert [trial.number for trial in stored().trials] == list(range(6))
        assert len(children("study")) == 1


def test_the_score_of_a_trial_is_that_of_the_best_epoch(searched: str) -> None:
    result = run(searched, "trainer.max_epochs=4", trials=2)
    (candidate,) = [one for one in result.ranked if one.name != "defaults"]
    assert training_run.run(candidate.experiment).metrics["val/accuracy"] == candidate.search_score


def test_two_studies_with_the_same_seed_are_equal(searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = []
    for name in ("one", "two"):
        monkeypatch.setenv("LAB_STUDY_STORAGE", f"sqlite:///{name}.db")
        tables.append([(c.name, c.values, c.search_score, c.fresh) for c in run(searched).ranked])
    assert tables[0] == tables[1]


def test_the_first_trial_has_the_experiments_own_settings(searched: str) -> None:
    run(searched, trials=1, seeds=1)
    (trial,) = stored().trials
    assert trial.params == {"optimizer.kind": "adamw", "optimizer.lr": 0.01}


@pytest.mark.parametrize("sampler", samplers.SAMPLERS)
def test_every_sampler_runs(searched: str, sampler: str) -> None:
    assert run(searched, sampler=sampler, seeds=1, pruner="none").counts == Counts(4, 0, 0)


@pytest.mark.parametrize("pruner", samplers.PRUNERS)
def test_pruned_trials_are_recorded_as_pruned_and_not_as_failed(searched: str, pruner: str) -> None:
    trials = 4 if pruner == "none" else 8
    result = run(searched, "trainer.max_epochs=9", trials=trials, seeds=1, pruner=pruner)
    assert (result.counts.pruned > 0) == (pruner != "none")
    pruned = [run for run in children("trial") if run.data.tags["lab.trial_state"] == "pruned"]
    assert len(pruned) == result.counts.pruned
    assert all(run.info.status == "FINISHED" for run in pruned)


def test_a_failed_trial_is_recorded_with_its_reason_and_the_study_continues(searched: str) -> None:
    search = "search={optimizer: [{kind: sgd, lr: 0.1}, {kind: sgd, lr: 1e30}]}"
    result = run(searched, search, trials=6, seeds=1, sampler="random")
    assert result.counts.failed > 0
    failed = [run for run in children("trial") if run.info.status == "FAILED"]
    assert len(failed) == result.counts.failed
    assert all("the loss became" in run.data.tags["lab.failure"] for run in failed)


def test_a_study_whose_trials_all_fail_raises(searched: str) -> None:
    with pytest.raises(TrainingFailed, match=r"no trial of tiny-.* finished its training.*the loss became"):
        run(searched, "search={optimizer.lr: [1e30]}", "optimizer={kind: sgd, lr: 1e30}", trials=2)
    (parent,) = children("study")
    assert parent.info.status == "FAILED"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 0}, "--trials: must be at least 1, not 0"),
        ({"workers": 0, "seeds": 0}, "--workers: must be at least 1"),
        ({"minutes": 0.0}, "--minutes: must be above 0"),
        ({"metric": "test/accuracy"}, "--metric: test data is for the winner alone; did you mean val/accuracy"),
        ({"metric": "val/acuracy"}, "--metric: no such metric 'val/acuracy'; did you mean val/accuracy"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    searched: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(LabError) as error:
        run(searched, **options)
    assert error.value.lines[0].startswith(message)
    assert not (store.root() / "optuna.db").exists()


def test_a_loss_that_the_search_changes_is_no_objective(searched: str) -> None:
    space = "search={loss.label_smoothing: [0.0, 0.1]}"
    with pytest.raises(LabError, match=r"^--metric: the search changes loss.label_smoothing: val/loss is not the same"):
        run(searched, space, "loss={kind: cross_entropy}", metric="val/loss")
    assert not (store.root() / "optuna.db").exists()


def test_an_unreachable_storage_is_refused(searched: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for address in (f"sqlite:///{tmp_path}/not/there.db", "nonsense", "postgresql://user:secret@127.0.0.1:9/none"):
        monkeypatch.setenv("LAB_STUDY_STORAGE", address)
        with pytest.raises(LabError, match=r"the study storage .* cannot be used") as error:
            run(searched)
        assert "secret" not in str(error.value)


def test_a_stored_study_of_another_space_is_refused(searched: str) -> None:
    result = run(searched, trials=1)
    stored().set_user_attr(storage.SPACE, "another")
    with pytest.raises(LabError, match=f"holds a study {result.name} of another space"):
        run(searched)


def test_only_a_cluster_needs_ray(searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert run(searched, trials=2, workers=2).counts.done == 2
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(LabError, match=r"RAY_ADDRESS=127.0.0.1:9: needs Ray, which is not installed; .*install"):
        run(searched, workers=2)


def test_a_cluster_that_does_not_answer_is_refused(searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(LabError, match=r"the cluster RAY_ADDRESS=127.0.0.1:9 does not answer"):
        run(searched, workers=2)


class TestWhatFails:
    """A failure of the settings is a result, one of the surroundings is not."""

    def test_reasons_are_said_the_most_frequent_first(self, searched: str) -> None:
        search = "search={optimizer: [{kind: adamw, lr: 0.01}, {kind: sgd, lr: 1e30}, {kind: sgd, lr: 0.1}]}"
        result = run(searched, search, "trainer.max_epochs=1", trials=9, seeds=1, sampler="random", pruner="none")
        assert result.counts.failed > 1
        assert all("the loss became" in reason for reason in result.reasons)
        assert result.reasons[0].endswith(f"({result.counts.failed} trials)") or len(result.reasons) > 1
        console = Console(width=200, record=True)
        console.print(report.summary(dataclasses.replace(result, reasons=["KeyError: [/x] of [bold]"])))
        assert "KeyError: [/x] of [bold]" in console.export_text()  # no markup

    def test_nothing_wins_where_the_defaults_fail(self, searched: str) -> None:
        diverging = ("optimizer={kind: sgd, lr: 1e30}", "search={optimizer.lr: [0.1, 1e30]}")
        with pytest.raises(TrainingFailed, match=r"own settings failed on every fresh seed.*: the loss became"):
            run(searched, *diverging, trials=6, seeds=1, sampler="random")
        assert not children("winner")

    def test_what_is_missing_on_a_worker_is_no_result(self, searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = []

        def away(experiment: Experiment) -> DataModule:
            calls.append(experiment)
            if len(calls) in (2, 4):  # of two trainings; the others are the driver's, for what it records
                raise ModuleNotFoundError("No module named 'my_ideas'")
            return prepared_data(experiment)

        monkeypatch.setattr(jobs, "prepared_data", away)
        result = run(searched, trials=3, seeds=1, pruner="none")
        assert result.counts == Counts(3, 0, 0)
        lost = [run for run in children("trial") if run.info.status == "KILLED"]
        assert len(lost) == 2
        assert all("No module named 'my_ideas'" in run.data.tags["lab.failure"] for run in lost)

    def test_where_everything_is_lost_the_study_ends_and_says_why(
        self, searched: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(experiment: Experiment) -> DataModule:
            raise FileNotFoundError(2, "No such file or directory", "data.csv")

        monkeypatch.setattr(jobs, "prepared_data", away)
        with pytest.raises(TrainingFailed, match=r"3 trainings one after the other were lost; the last: .*data\.csv"):
            run(searched, trials=3, seeds=1)
        assert not children("winner")


def test_each_training_of_a_search_of_data_has_the_dataset_of_its_own_data(tiny: str, workplace: Path) -> None:
    with (workplace / "experiments" / "tiny.yaml").open("a") as file:
        file.write("search:\n  data.kind: [digits, breast_cancer]\n")
    run(tiny, trials=6, top=1, seeds=1, pruner="none")
    trained = [*children("trial"), *children("fresh seed"), *children("tested seed")]
    assert {child.data.params["data.kind"] for child in trained} == {"digits", "breast_cancer"}
    for child in trained:
        (recorded,) = child.inputs.dataset_inputs
        own = prepared_data(load(tiny, [f"data.kind={child.data.params['data.kind']}"]))
        assert recorded.dataset.digest == child.data.tags["data.fingerprint"] == own.fingerprint
