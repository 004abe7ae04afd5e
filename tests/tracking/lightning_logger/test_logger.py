"""lab.Logger: what a Trainer logs is in the store, in one run, with the right end."""

import copy
import csv
import json
import math
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only
from tracking.lightning_logger.made_training import Line, loader, trainer

import lab
from lab.errors import LabError
from lab.tracking import store
from lab.tracking.lightning_logger import open_runs
from lab.tracking.reading import directions, stored_runs
from lab.tracking.reading.stored_runs import StoredRun
from lab.tracking.reading.tables import open_tables
from lab.tracking.writing import outbox


def sent() -> None:
    """Wait until all records are in the store."""
    open_runs.of_process().close()


class Trained:
    """Two epochs and a test, recorded by the lab and by Lightning's CSVLogger."""

    def __init__(self, folder: Path) -> None:
        L.seed_everything(7)
        self.logger = lab.Logger("lines", tags={"colour": "red"}, run_name="the first")
        self.best = ModelCheckpoint(monitor="val/wonder", mode="max", save_last=True, dirpath=folder / "kept")
        callbacks = [self.best, EarlyStopping("val/nothing", mode="max", check_finite=False)]
        both = [self.logger, CSVLogger(folder / "csv", flush_logs_every_n_steps=1)]
        fitting = trainer(both, callbacks=callbacks)
        module = Line(net={"width": [4, 8], "kind": {"norm": None}})
        fitting.fit(module, loader(), loader())
        fitting.test(module, loader(), verbose=False)
        sent()
        self.run = stored_runs.find(self.logger.version)
        with next(folder.glob("csv/**/metrics.csv")).open() as lines:
            self.rows = list(csv.DictReader(lines))

    def by_csv(self, metric: str) -> list[tuple[int, float]]:
        return [(int(row["step"]), float(row[metric])) for row in self.rows if row.get(metric)]

    def stored(self, metric: str) -> list[tuple[int, float]]:
        history = open_tables().histories([self.run.id], [metric])
        return list(zip(history["step"], history["value"], strict=True))


@pytest.fixture(scope="module")
def trained(prepared_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("PL_GLOBAL_SEED", raising=False)
        store.root().mkdir()
        store.database().write_bytes(prepared_store.read_bytes())
        yield Trained(folder)


class TestTraining:
    @pytest.mark.parametrize("metric", ["train_loss_step", "train_loss_epoch", "val_loss", "val/wonder", "test_loss"])
    def test_values_and_steps_are_those_of_lightnings_csv_logger(self, trained: Trained, metric: str) -> None:
        assert trained.stored(metric) == [(step, pytest.approx(value)) for step, value in trained.by_csv(metric)]
        assert len(trained.stored(metric)) == {"train_loss_step": 6, "test_loss": 1}.get(metric, 2)

    def test_what_is_not_finite_is_kept(self, trained: Trained) -> None:
        assert all(math.isnan(value) for _, value in trained.stored("val/nothing"))

    def test_the_test_goes_into_the_finished_run_of_the_training(self, trained: Trained) -> None:
        assert list(open_tables().runs().ids) == [trained.run.id]
        assert (trained.run.status, trained.run.name, trained.run.experiment) == ("FINISHED", "the first", "lines")
        assert trained.logger.run_id == trained.run.id
        assert list(store.journals().iterdir()) == []

    def test_nested_settings_have_dotted_names(self, trained: Trained) -> None:
        assert trained.run.params == {
            "lr": "0.1",
            "net.width": "[4, 8]",
            "net.kind.norm": "null",
            "activation": "torch.nn.modules.activation.ReLU",
            "seed": "7",  # of seed_everything
        }

    def test_tags_say_where_it_was_trained(self, trained: Trained) -> None:
        tags = trained.run.tags
        assert (tags["colour"], tags["lab.kind"], tags["machine.device"]) == ("red", "run", "cpu")
        assert tags["version.torch"] == torch.__version__

    def test_directions_are_those_that_callbacks_monitor(self, trained: Trained) -> None:
        assert json.loads(trained.run.tags[directions.TAG]) == {"val/nothing": True, "val/wonder": True}

    def test_the_values_at_the_best_checkpoint_are_known(self, trained: Trained) -> None:
        best = max(value for _, value in trained.by_csv("val/wonder"))
        assert trained.run.metrics["at_best/val/wonder"] == pytest.approx(best) == float(trained.best.best_model_score)
        assert (
            trained.stored("at_best/val/wonder")[-1][0] == max(trained.by_csv("val/wonder"), key=lambda row: row[1])[0]
        )
        assert trained.run.metrics["at_best/val_loss"] == pytest.approx(10 - best)
        assert not any(name.startswith("at_best/train") for name in trained.run.metrics)

    def test_best_and_last_checkpoint_are_artifacts(self, trained: Trained) -> None:
        for name, path in (("best", trained.best.best_model_path), ("last", trained.best.last_model_path)):
            assert trained.run.artifact(f"checkpoints/{name}.ckpt").read_bytes() == Path(path).read_bytes()


@pytest.fixture
def unsent(empty_workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder to work in, without a sender: the journals say what is recorded."""
    monkeypatch.setattr(outbox, "start_sender", lambda folder: None)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    yield
    for each in open_runs.of_process()._trackers.values():
        each._journal.close()
    open_runs._of_processes.clear()


def records(*kinds: str) -> list[dict[str, Any]]:
    lines = [line for path in sorted(store.journals().glob("*/*/records.jsonl")) for line in path.open()]
    found = sorted((json.loads(line) for line in lines), key=lambda record: record["time"])
    return [record for record in found if not kinds or record["kind"] in kinds]


def recorded(kind: str) -> dict[str, Any]:
    return {name: value for record in records(kind) for name, value in record["values"].items()}


@pytest.mark.usefixtures("unsent")
class TestValues:
    def test_numbers_of_every_kind_are_recorded(self) -> None:
        values = {"a": torch.tensor(1.5), "b": np.float32(2.5), "c": True, "d": torch.tensor([3]), "e": -math.inf}
        lab.Logger("p").log_metrics(values, step=torch.tensor(4))  # type: ignore[arg-type]
        (record,) = records("metrics")
        assert (record["values"], record["step"]) == ({"a": 1.5, "b": 2.5, "c": 1.0, "d": 3.0, "e": -math.inf}, 4)

    @pytest.mark.parametrize("value", ["1.0", None, torch.ones(2), {"x": 1.0}, 1j])
    def test_what_is_no_number_is_left_out_and_said(self, value: Any) -> None:
        with pytest.warns(UserWarning, match="bad is not recorded"):
            lab.Logger("p").log_metrics({"bad": value, "good": 1.0})
        assert recorded("metrics") == {"good": 1.0}

    def test_without_a_step_values_follow_each_other(self) -> None:
        logger = lab.Logger("p")
        for step in (None, None, 7, None):
            logger.log_metrics({"x": 1.0}, step)
        assert [record["step"] for record in records("metrics")] == [0, 1, 7, 8]

    def test_names_that_mlflow_refuses_are_changed_and_said(self) -> None:
        with pytest.warns(UserWarning, match="acc@5 is stored as tmp-acc_5"):
            lab.Logger("p", prefix="tmp").log_metrics({"acc@5": 1.0})
        assert recorded("metrics") == {"tmp-acc_5": 1.0}

    def test_a_setting_is_recorded_once(self) -> None:
        logger = lab.Logger("p")
        logger.log_hyperparams({"lr": 0.1})
        with pytest.warns(UserWarning, match=r"lr is recorded as 0\.1 and stays so; for 0\.2, start a new run"):
            logger.log_hyperparams({"lr": 0.2, "width": 3}, {"hp_metric": -1})
        assert [record["values"] for record in records("params")] == [{"lr": "0.1"}, {"width": "3"}]
        assert recorded("metrics") == {"hp_metric": -1.0}

    def test_a_seed_among_the_settings_is_not_replaced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PL_GLOBAL_SEED", "1")
        logger = lab.Logger("p")
        logger.log_hyperparams({"random_seed": 5})
        logger.log_metrics({"x": 1.0})
        assert recorded("params") == {"random_seed": "5"}


@pytest.mark.usefixtures("unsent")
class TestDirections:
    def test_the_users_word_counts(self) -> None:
        logger = lab.Logger("p", directions={"val_wonder": "min", "acc": "max"})
        logger.log_metrics({"x": 1.0})
        assert json.loads(records("start")[0]["tags"][directions.TAG]) == {"acc": True, "val_wonder": False}

    def test_a_callback_that_contradicts_a_known_name_is_not_believed(self) -> None:
        logger = lab.Logger("p")
        with pytest.warns(UserWarning, match="a higher val_acc is better, but a callback monitors it with mode='min'"):
            logger.after_save_checkpoint(ModelCheckpoint(monitor="val_acc"))
        assert directions.TAG not in recorded("tags")

    def test_callbacks_that_contradict_each_other_say_nothing(self) -> None:
        logger = lab.Logger("p")
        callbacks = [ModelCheckpoint(monitor="wonder", mode="max"), EarlyStopping("wonder"), EarlyStopping("odd")]
        trainer(logger, 0, callbacks=callbacks).fit(Line(), loader())
        assert json.loads(recorded("tags")[directions.TAG]) == {"odd": False}


@pytest.mark.usefixtures("unsent")
class TestLife:
    def test_nothing_is_written_before_the_first_record(self) -> None:
        logger = lab.Logger("p")
        trainer(logger, fast_dev_run=True).fit(Line(), loader(), loader())
        assert (logger.name, logger.run_id) == ("p", None)
        assert not store.root().exists()

    def test_copies_record_the_same_run(self) -> None:
        logger = lab.Logger("p", directions={"x": "max"})
        logger.log_metrics({"x": 1.0})
        for other in (copy.deepcopy(logger), pickle.loads(pickle.dumps(trainer(logger))).logger):
            other.log_metrics({"x": 2.0})
            assert (other.version, other.save_dir) == (logger.version, logger.save_dir)
        assert len(records("start")) == 1
        assert len(records("metrics")) == 3

    @pytest.mark.parametrize(
        ("status", "state"),
        [("success", "FINISHED"), ("finished", "FINISHED"), ("failed", "FAILED"), ("aborted", "KILLED")],
    )
    def test_the_state_follows_lightnings_word(self, status: str, state: str) -> None:
        logger = lab.Logger("p")
        logger.finalize(status)
        assert not store.root().exists()
        logger.log_metrics({"x": 1.0})
        logger.finalize(status)
        assert [record["status"] for record in records("end")] == [state]

    def test_a_second_fit_goes_on_in_the_same_run(self) -> None:
        logger = lab.Logger("p")
        for _ in range(2):
            trainer(logger, 1, enable_checkpointing=False).fit(Line(), loader(), loader())
        assert len({path.parent.name for path in store.journals().glob("*/*/records.jsonl")}) == 1
        assert [record["continued"] for record in records("start")] == [True, True]
        assert [record["status"] for record in records("end")] == ["FINISHED", "FINISHED"]
        assert sorted(recorded("params")) == ["activation", "lr", "net"]
        assert len(records("params")) == 3  # not recorded again

    def test_a_run_whose_records_are_not_sent_is_found_by_its_version(self) -> None:
        logger = lab.Logger("p")
        logger.log_hyperparams({"lr": 0.1})
        logger.finalize("failed")
        again = lab.Logger(version=logger.version)
        assert (again.name, again.version) == ("p", logger.version)
        with pytest.warns(UserWarning, match=r"lr is recorded as 0\.1"):
            again.log_hyperparams({"lr": 0.2})
        with pytest.raises(LabError, match="belongs to the project 'p', not to 'q'"):
            lab.Logger("q", version=logger.version)

    def test_validation_alone_is_a_run(self) -> None:
        trainer(lab.Logger("p")).validate(Line(), loader(), verbose=False)
        assert "val_loss" in recorded("metrics")
        assert records()[-1]["status"] == "FINISHED"

    def test_an_exception_in_the_training_is_told_with_its_place(self) -> None:
        class Broken(Line):
            def training_step(self, batch: Any, index: int) -> torch.Tensor:
                return torch.ones(2) @ torch.ones(3)

        with pytest.raises(RuntimeError):
            trainer(lab.Logger("p")).fit(Broken(), loader())
        assert records()[-1]["status"] == "FAILED"
        assert "RuntimeError: inconsistent tensor size" in recorded("tags")["lab.failure"]
        assert "Traceback" in next(store.journals().glob("*/*/error.txt")).read_text()

    def test_a_directory_that_is_left_does_not_move_the_store(self, tmp_path: Path, monkeypatch: Any) -> None:
        logger = lab.Logger("p")
        home = store.journals()
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        logger.log_metrics({"x": 1.0})
        assert not store.root().exists()
        assert len(list(home.glob("*/*/records.jsonl"))) == 1

    def test_other_ranks_record_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rank_zero_only, "rank", 1)
        logger = lab.Logger("p", version="a run that this rank does not look up")
        logger.log_metrics({"x": 1.0})
        logger.log_hyperparams({"lr": 1})
        assert logger.experiment.whatever() is None
        logger.finalize("success")
        assert not store.root().exists()

    @pytest.mark.parametrize("log_model", [True, False, "all"])
    def test_checkpoints_are_recorded_as_asked(self, log_model: Any) -> None:
        callbacks = [
            ModelCheckpoint(monitor="val_loss", filename="{epoch}", save_top_k=2),
            ModelCheckpoint(monitor="val/wonder", mode="max", filename="w"),
        ]
        trainer(lab.Logger("p", log_model=log_model), callbacks=callbacks).fit(Line(), loader(), loader())
        names = sorted(record["path"] for record in records("artifact"))
        whole = ["checkpoints/best.ckpt", *(name for name in names if "/ModelCheckpoint" in name)]
        during = ["checkpoints/epoch=0.ckpt", "checkpoints/epoch=1.ckpt", "checkpoints/w.ckpt"]
        assert set(names) == set({True: whole, False: [], "all": [*whole, *during]}[log_model])
        assert len(whole) == (2 if log_model else 1)


@pytest.mark.usefixtures("unsent")
class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"name": ""}, "name: must not be empty"),
            ({"log_model": "some"}, "log_model: must be True, False or 'all', not 'some'"),
            ({"directions": {"val_acc": "up"}}, "directions: val_acc must be 'min' or 'max', not 'up'"),
            ({"version": "nowhere"}, "no runs yet"),
        ],
    )
    def test_a_wrong_argument_is_one_line(self, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(LabError, match=message):
            lab.Logger(**arguments)
        assert not store.root().exists()

    def test_a_store_that_cannot_be_written_is_said_before_the_training(self) -> None:
        store.root().write_text("a file")
        with pytest.raises(LabError, match="cannot be written"):
            trainer(lab.Logger("p")).fit(Line(), loader())


STOPPED = """
import sys, time
import lab
from tracking.lightning_logger.made_training import Line, loader, trainer

class Slow(Line):
    def on_train_epoch_start(self):
        if self.current_epoch == 2:
            print(self.logger.version, flush=True)
            time.sleep(60)

trainer(lab.Logger("lines"), 9).fit(Slow(), loader(), loader())
"""


class TestStopped:
    """A training that a signal ends in its third epoch."""

    def test_ctrl_c_is_no_failure(self, workplace: Path) -> None:
        run = _stopped_by(signal.SIGINT)
        assert (run.status, _steps(run, "val_loss")) == ("KILLED", [5, 11])
        assert "lab.failure" not in run.tags
        assert run.artifact("checkpoints/last.ckpt").stat().st_size > 0

    def test_a_killed_run_has_lost_nothing_and_goes_on(self, workplace: Path) -> None:
        run = _stopped_by(signal.SIGKILL)
        assert (run.status, _steps(run, "val_loss")) == ("KILLED", [5, 11])
        logger = lab.Logger("lines", version=run.id[:12])
        assert logger.run_id == run.id
        trainer(logger, 1).fit(Line(lr=0.1), loader(), loader())
        sent()
        assert logger.run_id == run.id
        again = stored_runs.find(logger.version)
        assert (again.id, again.status, _steps(again, "val_loss")) == (run.id, "FINISHED", [5, 5, 11])
        with pytest.raises(LabError, match="belongs to the project 'lines', not to 'others'"):
            lab.Logger("others", version=logger.version)
        foreign = store.client().create_run(store.client().create_experiment("p")).info.run_id
        with pytest.raises(LabError, match="was recorded by another tool"):
            lab.Logger("p", version=foreign)


def _stopped_by(number: int) -> StoredRun:
    here = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen([sys.executable, "-c", STOPPED], env=here, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    version = process.stdout.readline().strip()
    process.send_signal(number)
    assert process.wait(60) != 0
    return _closed(version)


def _closed(version: str) -> StoredRun:
    """The run, as soon as the sender of the dead process has closed it."""
    until = time.monotonic() + 60
    while list(store.journals().iterdir()):
        assert time.monotonic() < until
        time.sleep(0.1)
    return stored_runs.find(version)


def _steps(run: StoredRun, metric: str) -> list[int]:
    return open_tables().histories([run.id], [metric])["step"].to_list()
