"""Dead runs, their journals, and the trials of dead studies."""

import platform
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient

from lab.cli import main, maintenance
from lab.parallel import child_runs
from lab.studies import interrupted_trials, storage
from lab.tracking import store
from lab.tracking.reading import run_table
from lab.tracking.reading.tables import open_tables
from lab.tracking.writing import sender
from lab.tracking.writing.outbox import Outbox

LONG_AGO = str(int((time.time() - 3_600) * 1000))


@pytest.fixture
def client(workplace: Path) -> MlflowClient:
    return store.client()


def made(client: MlflowClient, **changed: str | None) -> str:
    """A run that claims to run, as a sender left it an hour ago; None takes a tag away."""
    known = {
        store.JOURNAL_TAG: "a" * 32,
        store.OUTBOX_TAG: "/nowhere/mlruns/journal/x",
        store.HOST_TAG: platform.node(),
        store.HEARTBEAT_TAG: LONG_AGO,
    }
    found = client.get_experiment_by_name("digits")
    experiment = found.experiment_id if found else client.create_experiment("digits")
    kept = {name: value for name, value in (known | changed).items() if value is not None}
    return client.create_run(experiment, start_time=int(LONG_AGO) - 1000, tags=kept).info.run_id


def test_a_silent_run_whose_journal_is_gone_is_closed_at_its_last_report(client: MlflowClient) -> None:
    run = made(client)
    lines, complete = maintenance.close_dead_runs()
    assert complete
    assert lines[0].startswith(f"closed {run[:8]} (")
    info = client.get_run(run).info
    assert (info.status, info.end_time) == ("KILLED", int(LONG_AGO))
    assert maintenance.close_dead_runs() == ([], True)


@pytest.mark.parametrize(
    "changed",
    [
        {store.HEARTBEAT_TAG: str(int(time.time() * 1000) + 600_000)},
        {store.HOST_TAG: "elsewhere"},
        {store.OUTBOX_TAG: str(Path.cwd())},
        {store.OUTBOX_TAG: None},
        {store.HEARTBEAT_TAG: None},
        {store.HEARTBEAT_TAG: "soon"},
    ],
    ids=["it reports", "of another machine", "its journal is there", "not of the lab", "no heartbeat", "no time"],
)
def test_other_runs_are_never_touched(client: MlflowClient, changed: dict[str, str | None]) -> None:
    run = made(client, **changed)
    maintenance.close_dead_runs()
    assert client.get_run(run).info.status == "RUNNING"


def test_another_machines_silent_runs_are_closed_only_when_it_is_named(client: MlflowClient) -> None:
    gone = made(client, **{store.HOST_TAG: "elsewhere"})
    reports = made(client, **{store.HOST_TAG: "elsewhere", store.HEARTBEAT_TAG: str(int(time.time() * 1000))})
    maintenance.close_dead_runs(host="elsewhere")
    assert [client.get_run(run).info.status for run in (gone, reports)] == ["KILLED", "RUNNING"]


def test_a_run_without_reports_for_a_minute_is_stale(client: MlflowClient) -> None:
    silent, alive = made(client), made(client, **{store.HEARTBEAT_TAG: str(int(time.time() * 1000))})
    found = run_table.states(open_tables().runs())
    assert (found[silent], found[alive]) == ("◌ stale", "● running")


def test_the_process_and_its_sender_killed_the_rest_is_sent_and_the_run_closed(client: MlflowClient) -> None:
    code = (
        "import os, signal\n"
        "from lab.tracking.writing.outbox import Outbox\n"
        "outbox = Outbox()\n"
        "tracker = outbox.tracker()\n"
        "tracker.start('digits', 'doomed', {}, {})\n"
        "tracker.metrics({'loss': 1.0}, 1)\n"
        "outbox._sender.kill()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert maintenance.close_dead_runs()[1]
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert (run.info.status, run.data.metrics["loss"]) == ("KILLED", 1.0)
    assert store.HEARTBEAT_TAG in run.data.tags


def test_a_run_that_goes_on_is_left_alone_though_its_sender_is_dead(client: MlflowClient) -> None:
    outbox = Outbox()
    tracker = outbox.tracker()
    tracker.start("digits", "alive", {}, {})
    assert outbox._sender is not None
    outbox._sender.kill()
    outbox._sender.wait()
    assert maintenance.close_dead_runs() == ([], True)
    assert tracker.folder.exists()
    tracker.metrics({"loss": 1.0}, 1)
    tracker.end("FINISHED")
    run = client.get_run(outbox.close().run_ids[tracker.id])  # by a new sender
    assert (run.info.status, run.data.metrics["loss"]) == ("FINISHED", 1.0)


def test_trials_of_a_dead_driver_are_retried_and_those_of_a_living_one_left_alone(client: MlflowClient) -> None:
    studies = {}
    for name in ("dead", "alive"):
        study = storage.open_study(name, higher_is_better=True, space=name)
        interrupted_trials.record_driver(study, name)
        study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        studies[name] = study
    with child_runs.driver_lock("alive"):
        lines, _ = maintenance.close_dead_runs()
    assert lines == ["1 trial of dead failed with the driver, will be retried"]
    found = {name: [trial.state.name for trial in study.get_trials()] for name, study in studies.items()}
    assert found == {"dead": ["FAIL", "WAITING"], "alive": ["RUNNING"]}


def test_the_next_start_closes_what_is_left_in_the_background(client: MlflowClient) -> None:
    outbox = Outbox()
    outbox.tracker().start("digits", "left", {}, {})
    assert outbox._sender is not None
    outbox._sender.kill()
    outbox._sender.wait()
    outbox.release()
    maintenance.start_in_background()
    until = time.monotonic() + 60
    while outbox.folder.exists():
        assert time.monotonic() < until
        time.sleep(0.1)
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert run.info.status == "KILLED"


def test_no_column_of_runs_is_cut_in_a_narrow_terminal(
    client: MlflowClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(client, **{"mlflow.runName": "digits optimizer.lr=0.006260326907499732 optimizer.weight_decay=0.1398"})
    client.log_metric(run, "best/val/accuracy", 0.98765, timestamp=int(LONG_AGO))
    for width in (80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        with pytest.raises(SystemExit):
            main.main(["runs"])
        line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(run[:8]))
        assert "val/accuracy 0.9877 ↑" in line
        assert line.rstrip().endswith("ago")


def test_runs_lists_what_is_asked_for_and_says_what_is_stale(
    client: MlflowClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    run = made(client, **{"mlflow.runName": "digits [bold]lr[/bold]"})
    client.log_param(run, "seed", "7")
    client.log_metric(run, "best/val/accuracy", 0.75, timestamp=int(LONG_AGO))
    trial = made(client, **{"lab.kind": "trial", store.HOST_TAG: "elsewhere"})
    for arguments, code in ((["runs"], 0), (["runs", "digts"], 2), (["runs", "--state", "stal"], 2)):
        with pytest.raises(SystemExit) as ended:
            main.main(arguments)
        assert ended.value.code == code
    out, err = capsys.readouterr()
    line = next(line for line in out.splitlines() if line.startswith(run[:8]))
    for part in ("◌ stale", "digits [bold]lr[/bold]", " 7 ", "val/accuracy 0.75 ↑"):
        assert part in line
    assert trial[:8] not in out
    assert "2 runs stopped reporting" in out
    assert "did you mean digits?" in err
    assert "did you mean stale?" in err


def test_an_outbox_that_holds_nothing_goes(workplace: Path) -> None:
    folder = store.journals() / "empty"
    (folder / ("b" * 32)).mkdir(parents=True)
    (folder / ("b" * 32) / "records.jsonl").touch()
    assert sender.send_outbox(folder) == {}
    assert not folder.exists()


def test_the_next_start_retries_the_trials_of_a_failed_driver_in_the_background(client: MlflowClient) -> None:
    study = storage.open_study("dead", higher_is_better=True, space="dead")
    interrupted_trials.record_driver(study, "dead")
    study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    with pytest.raises(ZeroDivisionError), child_runs.driver_lock("dead"):
        raise ZeroDivisionError
    maintenance.start_in_background()
    until = time.monotonic() + 60
    while [trial.state.name for trial in study.get_trials()] != ["FAIL", "WAITING"] or child_runs.failed_drivers():
        assert time.monotonic() < until
        time.sleep(0.1)
