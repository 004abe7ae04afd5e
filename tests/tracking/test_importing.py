"""`lab import`: runs that other tools wrote arrive with every value, once, or are refused in one line."""

import builtins
import csv
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import CSVLogger
from mlflow.entities import Run

from lab.cli import main
from lab.errors import LabError
from lab.tracking import store
from lab.tracking.reading import stored_runs
from lab.tracking.transfer.formats.finding import find
from lab.tracking.transfer.importing import import_runs

needs_tensorboard = pytest.mark.skipif(find_spec("tensorboard") is None, reason="needs the package tensorboard")


@pytest.fixture
def logs(workplace: Path) -> Path:
    """A folder that Lightning's CSVLogger wrote."""
    logger = CSVLogger(workplace, name="logs")
    logger.log_hyperparams({"lr": 0.1, "model": {"hidden": 16, "layers": [1, 2]}})
    for step, loss in enumerate((0.5, 0.1 + 0.2, float("nan"))):
        logger.log_metrics({"train_loss": loss}, step=10 * step)
    logger.log_metrics({"val/f1": 0.75}, step=20)
    logger.save()
    return workplace / "logs"


def runs_of(experiment: str) -> list[Run]:
    found = store.client().get_experiment_by_name(experiment)
    assert found is not None
    return list(store.client().search_runs([found.experiment_id]))


def values(run: Run, metric: str) -> list[tuple[int, str]]:
    return [(each.step, repr(each.value)) for each in store.client().get_metric_history(run.info.run_id, metric)]


def test_every_value_and_setting_of_lightnings_csv_arrives(logs: Path) -> None:
    (line,) = import_runs(logs, None)
    assert line.startswith("version_0: 4 values and 3 settings, as ")
    (run,) = runs_of("logs")
    with (logs / "version_0" / "metrics.csv").open() as file:
        written = [
            (int(row["step"]), repr(float(row["train_loss"]))) for row in csv.DictReader(file) if row["train_loss"]
        ]
    assert values(run, "train_loss") == written == [(0, "0.5"), (10, "0.30000000000000004"), (20, "nan")]
    assert values(run, "val/f1") == [(20, "0.75")]
    assert run.data.params == {"lr": "0.1", "model.hidden": "16", "model.layers": "[1, 2]"}
    assert run.info.status == "FINISHED"
    assert stored_runs.find("latest:logs").name == "version_0"


def test_a_second_import_adds_nothing_and_an_interrupted_one_goes_on(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = type(store.client())
    with monkeypatch.context() as cut:
        cut.setattr(client, "set_terminated", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            import_runs(logs, None)
    import_runs(logs, None)
    assert "is there already" in import_runs(logs, None)[0]
    (run,) = runs_of("logs")
    assert (run.info.status, len(values(run, "train_loss"))) == ("FINISHED", 3)


def test_plain_tables_are_a_run_each_with_a_row_per_epoch(workplace: Path) -> None:
    folder = workplace / "tables"
    folder.mkdir()
    (folder / "a.csv").write_text("epoch,val loss\n1,0.5\n2,0.25\n")
    (folder / "b.csv").write_text("loss\n3\n4\n")
    import_runs(folder, "sheets")
    by_name = {run.info.run_name: run for run in runs_of("sheets")}
    assert values(by_name["a"], "val loss") == [(1, "0.5"), (2, "0.25")]
    assert values(by_name["b"], "loss") == [(1, "3.0"), (2, "4.0")]


@needs_tensorboard
def test_every_scalar_of_tensorboard_arrives_with_its_time(workplace: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(workplace / "boards" / "one")) as writer:
        for step in range(2_000):
            writer.add_scalar("val/loss", 1 / (step + 1), step, walltime=1_700_000_000 + step)
        writer.add_text("note", "not a number")
    (line,) = import_runs(workplace / "boards", None)
    assert line.startswith("one: 2,000 values")
    assert line.endswith("without 1 tensors")
    (run,) = runs_of("boards")
    history = store.client().get_metric_history(run.info.run_id, "val/loss")
    assert [(each.step, each.timestamp) for each in history] == [(s, 1000 * (1_700_000_000 + s)) for s in range(2_000)]
    assert [each.value for each in history] == pytest.approx([1 / (step + 1) for step in range(2_000)], rel=1e-7)


def test_tensorboards_files_without_its_package_name_it(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "events.out.tfevents.1").write_bytes(b"")
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("tensorboard"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(LabError, match=r"\'\.\[import\]\'"):
        find(workplace)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.csv": "loss\nhigh\n"}, "a.csv:2: loss: 'high' is not a number"),
        ({"a.csv": "loss\n1,2\n"}, "a.csv:2: has more values than the first line has names"),
        ({"a.csv": "loss\n"}, "a.csv: has no values"),
        ({"a.csv": "acc@5,acc_5\n1,2\n"}, "'acc@5' and 'acc_5' are one name for MLflow"),
        (
            {"metrics.csv": "loss\n1\n", "hparams.yaml": "a: !!python/object:x.Y {}\n"},
            "hparams.yaml: is not plain YAML",
        ),
        ({}, "has no runs; metrics.csv"),
    ],
)
def test_what_cannot_be_read_is_refused_and_nothing_recorded(
    workplace: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], message: str
) -> None:
    folder = workplace / "foreign"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(SystemExit) as ended:
        main.main(["import", str(folder)])
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert message in line
    assert store.client().get_experiment_by_name("foreign") is None
