"""The tracking server in trouble: a short form of the fault suite, and what a person is told."""

import random
from collections.abc import Iterator
from pathlib import Path

import outages
import pytest
from serving import Gate, Server

from lab.cli import main
from lab.tracking import store
from lab.tracking.writing import leftovers, sender, upload
from lab.tracking.writing import outbox as outboxes
from lab.tracking.writing.outbox import Outbox
from lab.tracking.writing.tracker import Tracker


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Gate]]:
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    gate = Gate(server.port)
    yield server, gate
    gate.close()
    server.stop()


@pytest.fixture
def served(gate: tuple[Server, Gate], empty_workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", gate[1].address)
    return gate[1]


@pytest.fixture
def tracker(served: Gate, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    """A tracker whose sender is this process: nothing is sent before it delivers."""
    monkeypatch.setattr(outboxes, "start_sender", lambda folder: None)
    outbox = Outbox()
    tracker = outbox.tracker()
    tracker.start("digits", "one", {"seed": 1}, {})
    for step in range(30):
        tracker.metrics({"loss": 1 / (step + 1), "same": 1.0}, step)
    tracker.text("a.txt", "kept")
    tracker.end("FINISHED")
    outbox.release()
    return tracker


def test_training_goes_on_through_every_kind_of_outage_and_nothing_is_lost_or_doubled(
    gate: tuple[Server, Gate], served: Gate
) -> None:
    plan = list(zip(outages.KINDS, ("start", "middle", "end", "middle", "start"), strict=True))
    disturber = outages.Outages(*gate, seed=0)
    disturber.random = random.Random(0)
    done = outages.session(outages.experiment(3), plan, disturber)
    assert [outages.wrong(training) for training in done] == [(0, 0, "")] * len(plan)


@pytest.mark.parametrize("path", ["runs/create", "runs/log-batch", "runs/update", "experiments/create", "a.txt"])
def test_a_request_whose_answer_was_lost_is_repeated_and_counts_once(tracker: Tracker, served: Gate, path: str) -> None:
    served.lose = path
    served.lost.clear()
    folder = tracker.folder.parent
    first = sender.send_outbox(folder)
    assert first is None or path == "experiments/create"  # which is asked for again at once
    sent = first or sender.send_outbox(folder)
    assert sent is not None
    assert [lost.rpartition("/")[2] for lost in served.lost] in ([path.rpartition("/")[2]], [])
    assert upload.stored_runs(store.client(), tracker.id) == [sent[tracker.id]]
    run = store.client().get_run(sent[tracker.id])
    assert run.info.status == "FINISHED"
    for name in ("loss", "same"):
        assert [m.step for m in store.client().get_metric_history(run.info.run_id, name)] == list(range(30))
    assert [file.path for file in store.client().list_artifacts(run.info.run_id)] == ["a.txt"]


@pytest.mark.parametrize("mode", ["error", "garbage"])
def test_a_server_that_answers_nonsense_costs_no_result_and_is_named_in_a_line(
    tiny: str, served: Gate, mode: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outboxes, "PATIENCE", 1.0)
    served.mode = mode
    with pytest.raises(SystemExit) as ended:
        main.main(["run", tiny])
    out, err = capsys.readouterr()
    assert ended.value.code == 0
    assert "accuracy" in out
    assert f"records are pending for the tracking server {served.address}; they are sent when it answers" in out
    with pytest.raises(SystemExit) as ended:
        main.main(["runs"])
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert len(err.splitlines()) == 1
    assert f"the store {served.address} does not answer" in err
    with pytest.raises(SystemExit) as ended:
        main.main(["sync"])
    out, err = capsys.readouterr()
    assert ended.value.code == 1
    assert " records of " in out
    assert "still pending" in out
    served.mode = "pass"
    assert leftovers.send_all()[1]
    assert leftovers.send_all() == (["nothing is pending"], True)
