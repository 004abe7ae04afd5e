"""Whole studies on a real storage and a real store: searched, confirmed, interrupted, continued."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import optuna
import psutil
import pytest
from rich.console import Console

from lab.config.experiment import Experiment, load
from lab.data.base import DataModule
from lab.errors import LabError, TrainingFailed
from lab.parallel import jobs
from lab.parallel.jobs import prepared_data
from lab.studies import report, storage, study
from lab.studies.search import Counts
from lab.studies.study import Options, StudyResult
from lab.tracking import store
from lab.training import run as training_run


class NoProgress:
    """A Progress that shows nothing."""

    def searching(self, counts: Counts, running: int, best: tuple[int, float] | None) -> None: ...
    def confirming(self, done: int, total: int) -> None: ...
    def testing(self) -> None: ...


SEARCH = (
    "search:\n"
    "  optimizer.kind: [sgd, adamw]\n"
    "  optimizer.lr: {low: 1e-3, high: 1e-1, log: true}\n"
    "  optimizer.momentum: {low: 0.0, high: 0.9, when: {optimizer.kind: sgd}}\n"
)


@pytest.fixture
def searched(tiny: str, workplace: Path) -> str:
    with (workplace / "experiments" / "tiny.yaml").open("a") as file:
        file.write(SEARCH)
    return tiny


def run(name: str, *overrides: str, **options: object) -> StudyResult:
    chosen = Options(**({"trials": 4, "top": 1, "seeds": 2} | options))  # type: ignore[arg-type]
    return study.run(load(name, overrides), chosen, NoProgress())


def stored() -> optuna.Study:
    return optuna.load_study(study_name=None, storage=storage.address())


def children(kind: str) -> list:
    return store.client().search_runs(["1"], f"tags.`lab.kind` = '{kind}'")


class TestAStudy:
    """A study of four trials, and all that it records."""

    @pytest.fixture
    def result(self, searched: str) -> StudyResult:
        return run(searched)

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
        (candidate,) = [one for one in result.ranked if one.name != "defaults"]
        assert candidate.search_score == best[0]

    def check_mlflow(self, result: StudyResult) -> None:
        (parent,) = children("study")
        assert (parent.info.run_id, parent.info.status) == (result.run_id, "FINISHED")
        trials = children("trial")
        assert len(trials) == 4
        for run in [*trials, *children("fresh seed"), *children("winner")]:
            assert run.data.tags["mlflow.parentRunId"] == result.run_id
            assert run.info.status == "FINISHED"
        tested = [run for run in store.client().search_runs(["1"]) if "test/accuracy" in run.data.metrics]
        assert {run.data.tags["lab.kind"] for run in tested} == {"study", "winner", "tested seed"}
        assert {run.data.tags["lab.candidate"] for run in children("tested seed")} == {result.winner.name}
        scores = [run.data.metrics["test/accuracy"] for run in children("tested seed")]
        assert sorted(run.data.params["seed"] for run in children("tested seed")) == ["1", "2"]
        assert result.tested.value == pytest.approx(sum(scores) / 2)
        assert parent.data.metrics["fresh/test/accuracy"] == result.tested.value
        assert sorted({run.data.params["seed"] for run in children("fresh seed")}) == ["1", "2"]
        page = Path(store.client().download_artifacts(parent.info.run_id, "study.html")).read_text()
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


@pytest.mark.parametrize("sampler", storage.SAMPLERS)
def test_every_sampler_runs(searched: str, sampler: str) -> None:
    assert run(searched, sampler=sampler, seeds=1, pruner="none").counts == Counts(4, 0, 0)


@pytest.mark.parametrize("pruner", storage.PRUNERS)
def test_pruned_trials_are_recorded_as_pruned_and_not_as_failed(searched: str, pruner: str) -> None:
    result = run(searched, "trainer.max_epochs=9", trials=12, seeds=1, pruner=pruner)
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


def test_without_ray_the_error_says_how_to_install_it(searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(LabError, match="--workers 2: needs Ray, which is not installed; use `make study"):
        run(searched, workers=2)


def test_a_cluster_that_does_not_answer_is_refused(searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(LabError, match=r"the cluster RAY_ADDRESS=127.0.0.1:9 does not answer"):
        run(searched, workers=2)


def test_workers_on_ray_run_the_same_study(searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, object] = {"sampler": "random", "pruner": "none"}
    here = run(searched, **options)
    monkeypatch.setenv("LAB_STUDY_STORAGE", "sqlite:///ray.db")
    there = run(searched, workers=2, **options)
    assert [(c.name, c.values) for c in there.ranked] == [(c.name, c.values) for c in here.ranked]
    for one, same in zip(here.ranked, there.ranked, strict=True):
        assert one.fresh == pytest.approx(same.fresh, abs=0.02)  # other thread counts may round otherwise


EPOCHS = 100  # of a trial: enough that a signal arrives during training even on a slow machine


def start(name: str, *options: str) -> subprocess.Popen[str]:
    """`lab study` in its own process, with long trials."""
    command = [sys.executable, "-m", "lab", "study", name, "--trials", "3", "--top", "1", "--seeds", "1"]
    return subprocess.Popen(
        [*command, *options, f"trainer.max_epochs={EPOCHS}", "--pruner", "none"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def training(count: int, finished: int = 0) -> bool:
    """Whether so many trials are in the first half of their epochs, and so many have finished."""
    try:
        trials = stored().trials
    except Exception:  # the storage is being created
        return False
    states = Counter(trial.state.name for trial in trials)
    epochs = [len(trial.intermediate_values) for trial in trials if trial.state.name == "RUNNING"]
    return states["COMPLETE"] == finished and sum(0 < done < EPOCHS / 2 for done in epochs) == count


def assert_nothing_runs() -> None:
    wait_until(lambda: not [path for path in store.journals().glob("*") if path.is_dir()])
    assert not [trial for trial in stored().trials if trial.state.name == "RUNNING"]
    assert not store.client().search_runs(["1"], "attributes.status = 'RUNNING'")


def test_a_stopped_and_a_killed_study_continue(searched: str) -> None:
    stop(searched, signal.SIGINT, finished=1)
    assert_nothing_runs()
    stop(searched, signal.SIGKILL, finished=2)
    result = run(searched, f"trainer.max_epochs={EPOCHS}", trials=3, seeds=1, pruner="none")
    assert result.counts == Counts(3, 0, 0)
    assert_nothing_runs()
    trials = stored().trials
    assert Counter(trial.state.name for trial in trials) == {"COMPLETE": 3, "FAIL": 2}
    interrupted = stored().user_attrs["lab.retried"]
    retries = {trial.user_attrs.get("lab.retry_of"): trial.params for trial in trials}
    assert [retries[number] for number in interrupted] == [trials[number].params for number in interrupted]
    states = Counter(run.info.status for run in children("trial"))
    assert states == {"FINISHED": 3, "KILLED": 2}


def stop(name: str, number: signal.Signals, finished: int) -> None:
    """Send a signal to a study in a process of its own, once so many trials have finished and one is in training."""
    process = start(name)
    wait_until(lambda: training(1, finished))
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert number != signal.SIGINT or err == "lab: stopped; the same command continues the study\n"


def ray_workers(driver: int) -> list[psutil.Process]:
    """The Ray workers of a driver that are training."""
    found = []
    for child in psutil.Process(driver).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "_Worker.train" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_the_trial_of_a_killed_ray_worker_is_retried(searched: str) -> None:
    process = start(searched, "--workers", "2")
    wait_until(lambda: len(ray_workers(process.pid)) == 2 and training(2))
    ray_workers(process.pid)[0].kill()
    out, err = process.communicate(timeout=170)
    assert process.returncode == 0, err
    assert "trials      3: 3 finished, 0 pruned, 0 failed" in out
    assert_nothing_runs()
    assert Counter(trial.state.name for trial in stored().trials) == {"COMPLETE": 3, "FAIL": 1}
    lost = [run for run in children("trial") if run.info.status == "KILLED"]
    assert ["its worker died" in run.data.tags["lab.failure"] for run in lost] == [True]
    assert json.dumps(lost[0].data.tags)


class TestWhatFails:
    """A failure of the settings is a result, one of the surroundings is not."""

    def test_reasons_are_said_the_most_frequent_first(self, searched: str) -> None:
        search = "search={optimizer: [{kind: adamw, lr: 0.01}, {kind: sgd, lr: 1e30}, {kind: sgd, lr: 0.1}]}"
        result = run(searched, search, trials=9, seeds=1, sampler="random", pruner="none")
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
            if len(calls) in (2, 3):  # the first is the driver's own
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
