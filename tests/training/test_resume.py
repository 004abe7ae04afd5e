"""`lab resume` continues a run, or refuses in one line. `lab reproduce` trains it again and compares."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback

from lab.config.experiment import load
from lab.display.output import as_text
from lab.errors import LabError, Stopped
from lab.modules import training_step
from lab.tracking import store
from lab.tracking.reading import stored_runs
from lab.tracking.reading.stored_runs import StoredRun
from lab.tracking.reading.tables import open_tables
from lab.tracking.writing import leftovers, outbox
from lab.training import reproduce
from lab.training import resume as resuming
from lab.training import run as training
from lab.training.results import histograms, report

Rows = dict[tuple[str, int], float]


@pytest.fixture(autouse=True)
def without_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender dies as it starts, as if somebody killed it: what waits is sent by the next command."""

    def died(folder: Path) -> "subprocess.Popen[bytes]":
        (folder / "sender.log").touch()
        return subprocess.Popen(["false"], stdout=subprocess.PIPE)

    monkeypatch.setattr(outbox, "start_sender", died)


@pytest.fixture(autouse=True)
def one_batch_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning hands over single batches, so that these tests can strike between any two."""
    monkeypatch.setattr(training_step, "MAX_BATCHES", 1)


class StopBefore(Callback):
    """Asks for an end before the batch of that number, counted over all epochs."""

    def __init__(self, batch: int):
        self.batches_left = batch

    def on_train_batch_start(self, trainer: Trainer, *_: object) -> None:
        if self.batches_left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        self.batches_left -= 1


class StopInTest(Callback):
    """Asks for an end while the best epoch is tested."""

    def on_test_batch_start(self, *_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def stored(run: Callable[[], object]) -> StoredRun:
    """The one run in the store that something made or changed."""
    before = set(open_tables().states().index) if store.database().stat().st_size else set()
    run()
    leftovers.send_all()
    (new,) = set(open_tables().states().index) - before
    return stored_runs.find(new)


def whole_run(name: str, *overrides: str) -> StoredRun:
    return stored(lambda: training.run(load(name, overrides)))


def stopped_run(name: str, *overrides: str, by: Callback | None = None) -> StoredRun:
    def run() -> None:
        with pytest.raises(Stopped):
            training.run(load(name, overrides), [by or StopBefore(batch=15)])

    return stored(run)


def resume(run: StoredRun, *overrides: str) -> list[str]:
    """What is said while a run is resumed."""
    said: list[str] = []
    resuming.resume(run.id, overrides, [], said.append)
    leftovers.send_all()
    return said


def rows(run: StoredRun) -> Rows:
    """Every recorded value but those that no two runs have alike."""
    found = stored_runs.find(run.id)
    names = [name for name in found.metrics if not name.startswith(reproduce.NOT_COMPARED)]
    table = open_tables().histories([run.id], names)
    values = {(row.metric, row.step): row.value for row in table.itertuples()}
    assert len(values) == len(table), "a value is recorded twice"
    return values


def histograms_of(run: StoredRun) -> dict[str, list[list[float]]]:
    with np.load(run.artifact(histograms.FILE)) as content:
        return {name: content[name].tolist() for name in content.files}


def kept(run: StoredRun, name: str) -> Path:
    """The place of a run's artifact in the store."""
    return store.root() / "artifacts" / run.experiment / run.id / "artifacts" / name


def test_a_stopped_run_goes_on_in_its_own_record_and_leaves_what_the_whole_run_leaves(tiny: str) -> None:
    settings = ("trainer.max_epochs=3", "early_stopping={patience: 2}", "trainer.log_every_n_steps=2")
    settings += ("trainer.histograms=true",)
    expected = whole_run(tiny, *settings)
    run = stopped_run(tiny, *settings)
    assert run.status == "KILLED"
    said = resume(run)
    assert said[-1] == f"run {run.id} resumes from epoch 2, batch 6"
    resumed = stored_runs.find(run.id)
    assert resumed.status == "FINISHED"
    assert resumed.tags["lab.resumed"] == "epoch 2, batch 6"
    assert resumed.tags["lab.loss_chain"] == expected.tags["lab.loss_chain"]
    assert rows(run) == rows(expected)
    assert histograms_of(resumed) == histograms_of(expected)
    assert resumed.artifact("figures/learning_curves.png").exists()
    assert len(resumed.client.get_run(run.id).outputs.model_outputs) == 1


def test_a_run_that_is_stopped_in_its_test_is_only_tested_again(tiny: str) -> None:
    settings = ("trainer.max_epochs=5", "early_stopping={patience: 1, min_delta: 100.0}")
    expected = whole_run(tiny, *settings)
    run = stopped_run(tiny, *settings, by=StopInTest())
    assert "test/loss" not in run.metrics
    assert resume(run)[-1] == f"run {run.id} resumes from the end of epoch 2"
    assert rows(run) == rows(expected)


def test_a_damaged_checkpoint_is_reported_and_the_one_before_is_used(tiny: str) -> None:
    expected = whole_run(tiny)
    run = stopped_run(tiny, "checkpoints.every_seconds=0")
    newest = kept(run, "checkpoints/last.ckpt")
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    said = resume(run)
    assert said[0].startswith("last.ckpt is damaged: the checksum of")
    assert said[0].endswith("; the one before it is used")
    assert said[-1] in [f"run {run.id} resumes from {place}" for place in ("epoch 2, batch 5", "the end of epoch 1")]
    assert rows(run) == rows(expected)


def test_without_a_whole_checkpoint_a_run_begins_again_in_its_own_record(tiny: str) -> None:
    expected = whole_run(tiny)
    run = stopped_run(tiny)
    for path in kept(run, "checkpoints").iterdir():
        path.write_bytes(b"")
    said = resume(run)
    assert said[-1] == f"run {run.id} resumes from its start"
    assert rows(run) == rows(expected)


def test_a_finished_run_is_extended_in_a_new_run_that_equals_the_longer_one(tiny: str) -> None:
    short = whole_run(tiny, "trainer.histograms=true")
    expected = whole_run(tiny, "trainer.histograms=true", "trainer.max_epochs=4")
    longer = stored(lambda: resume(short, "trainer.max_epochs=4"))
    assert rows(longer) == rows(expected)
    assert histograms_of(longer) == histograms_of(expected)
    assert longer.name == "tiny trainer.histograms=true trainer.max_epochs=4"
    assert longer.params["trainer.max_epochs"] == "4"
    assert longer.tags["lab.extends"] == short.id
    assert stored_runs.find(short.id).params["trainer.max_epochs"] == "2"


def refused(run: StoredRun, *overrides: str) -> str:
    """The lines that say why a run cannot be resumed."""
    runs = len(open_tables().states())
    with pytest.raises(LabError) as caught:
        resume(run, *overrides)
    assert (len(open_tables().states()), stored_runs.find(run.id).status) == (runs, run.status)
    return str(caught.value)


def test_of_a_finished_run_only_the_epochs_can_change_and_only_grow(tiny: str) -> None:
    run = whole_run(tiny)
    assert refused(run) == f"run {run.id} is finished; extend it with trainer.max_epochs=4"
    assert "lr: cannot change when a run is resumed, only trainer.max_epochs can" in refused(run, "optimizer.lr=0.5")
    assert refused(run, "trainer.max_epochs=1").endswith("has 2 epochs already, so it must be above that")
    assert "did you mean trainer.max_epochs?" in refused(run, "trainer.max_epoch=3")


def test_a_run_whose_longer_form_would_begin_otherwise_is_not_extended(tiny: str) -> None:
    spread = whole_run(tiny, "scheduler.kind=cosine")
    assert refused(spread, "trainer.max_epochs=3").startswith("scheduler.kind: cosine spreads the learning rate")
    ended = whole_run(tiny, "early_stopping={patience: 1, min_delta: 100.0}", "trainer.max_epochs=5")
    assert refused(ended, "trainer.max_epochs=9").startswith(f"early stopping ended run {ended.id} after epoch 2")


def test_a_run_whose_record_does_not_fit_is_refused(tiny: str) -> None:
    run = stopped_run(tiny)
    for tag, value, message in [
        ("data.fingerprint", "1234", f"the data is not what run {run.id} was trained on: fingerprint"),
        ("lab.kind", "trial", "belongs to a study, which is resumed as a whole"),
        ("lab.kind", "", "was not written by `lab run`"),
    ]:
        run.client.set_tag(run.id, tag, value)
        assert message in refused(run)


def test_a_run_that_goes_on_elsewhere_is_refused(tiny: str) -> None:
    run = stopped_run(tiny)
    run.client.update_run(run.id, status="RUNNING")
    with pytest.raises(LabError, match="is still running on"):
        resume(run)


def test_another_version_and_other_code_are_said(tiny: str) -> None:
    run = stopped_run(tiny)
    run.client.set_tag(run.id, "version.torch", "2.0.0")
    run.client.set_tag(run.id, "mlflow.source.git.commit", "0123456789abcdef")
    said = " ".join(resume(run))
    assert "version.torch: 2.13.0" in said
    assert "2.0.0 in the run" in said
    assert "0123456789 in the run" in said


class TestReproduce:
    """The same settings, trained once more."""

    def reproduce(self, run: StoredRun, monkeypatch: pytest.MonkeyPatch) -> tuple[reproduce.Reproduction, list[str]]:
        said: list[str] = []
        close = outbox.Outbox.close

        def closed(self: outbox.Outbox) -> outbox.Delivery:
            close(self)
            leftovers.send_all()
            newest = stored_runs.find("latest:tiny")
            return outbox.Delivery({newest.tags["lab.journal"]: newest.id})

        monkeypatch.setattr(outbox.Outbox, "close", closed)
        return reproduce.reproduce(run.id, [], said.append), said

    def test_a_run_is_reproduced_to_the_last_bit(self, tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
        run = whole_run(tiny)
        reproduction, _ = self.reproduce(run, monkeypatch)
        assert (reproduction.verdict, reproduction.differences) == ("BIT-EXACT", [])
        assert reproduction.result.run_id != run.id
        assert stored_runs.find("latest:tiny").tags["lab.reproduces"] == run.id

    def test_the_next_command_has_the_overrides_of_the_run(self, tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
        run = whole_run(tiny, "trainer.max_epochs=1", "optimizer.lr=0.02")
        reproduction, _ = self.reproduce(run, monkeypatch)
        shown = as_text(report.summary(reproduction.result))
        assert 'make experiment NAME=tiny ARGS="trainer.max_epochs=1 optimizer.lr=0.02 seed=1"' in shown
        assert stored_runs.find("latest:tiny").name == "tiny trainer.max_epochs=1 optimizer.lr=0.02"

    def test_where_two_runs_part_and_why_is_said(self, tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
        run = whole_run(tiny)
        run.client.set_tag(run.id, "version.torch", "2.0.0")
        run.client.set_tag(run.id, "mlflow.source.git.commit", "0123456789abcdef")
        config = kept(run, "config.yaml")
        config.write_text(config.read_text().replace("lr: 0.01", "lr: 0.02"))
        reproduction, said = self.reproduce(run, monkeypatch)
        assert reproduction.verdict == "DIFFERS"
        assert "the losses differ from step 2 (epoch 1, batch 2) on" in reproduction.differences[0]
        assert any(line.startswith("version.torch") for line in reproduction.explanations)
        assert "git checkout 0123456789abcdef" in said[-1]

    def test_other_data_and_unfinished_runs_are_refused(self, tiny: str) -> None:
        run = stopped_run(tiny)
        with pytest.raises(LabError, match="is KILLED: only finished runs can be compared"):
            reproduce.reproduce(run.id, [], print)
        run.client.set_terminated(run.id, "FINISHED")
        run.client.set_tag(run.id, "data.fingerprint", "1234")
        with pytest.raises(LabError, match="cannot reproduce: the data changed"):
            reproduce.reproduce(run.id, [], print)
