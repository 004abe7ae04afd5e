"""lab.Logger: what a Trainer logs is in the store, in one run, as Lightning's CSVLogger has it."""

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from tracking.lightning_logger.made_training import Line, loader, trainer

import lab
from lab.tracking import store
from lab.tracking.lightning_logger import open_runs
from lab.tracking.reading import directions, stored_runs
from lab.tracking.reading.tables import open_tables


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
