"""lab.Logger: values, settings, directions and states are recorded as said, and mistakes are refused."""

import copy
import json
import math
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only
from tracking.lightning_logger.made_training import Line, loader, trainer

import lab
from lab.errors import LabError
from lab.tracking import store
from lab.tracking.lightning_logger import open_runs
from lab.tracking.reading import directions
from lab.tracking.writing import outbox


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

    def test_an_elbo_has_the_direction_of_its_callback(self) -> None:
        """Many scripts log the negative ELBO, the loss, under this name."""
        logger = lab.Logger("p")
        logger.log_metrics({"val_elbo": 1.0})
        logger.after_save_checkpoint(ModelCheckpoint(monitor="val_elbo", mode="min"))
        assert json.loads(recorded("tags")[directions.TAG]) == {"val_elbo": False}

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
