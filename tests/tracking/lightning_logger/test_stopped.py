"""Trainings with lab.Logger that a signal ends, and what goes on in their runs."""

import os
import signal
from pathlib import Path

import pytest
import warm
from tracking.lightning_logger.made_training import Line, loader, trainer
from waiting import wait_until

import lab
from lab.errors import LabError
from lab.tracking import store
from lab.tracking.lightning_logger import open_runs
from lab.tracking.reading import stored_runs
from lab.tracking.reading.stored_runs import StoredRun
from lab.tracking.reading.tables import open_tables

STOPPED = """
import time
from pathlib import Path
import lab
from tracking.lightning_logger.made_training import Line, loader, trainer

class Slow(Line):
    def on_train_epoch_start(self):
        if self.current_epoch == 2:
            Path("new").write_text(self.logger.version)
            Path("new").rename("version")
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
        open_runs.of_process().close()
        assert logger.run_id == run.id
        again = stored_runs.find(logger.version)
        assert (again.id, again.status, _steps(again, "val_loss")) == (run.id, "FINISHED", [5, 5, 11])
        with pytest.raises(LabError, match="belongs to the project 'lines', not to 'others'"):
            lab.Logger("others", version=logger.version)
        foreign = store.client().create_run(store.client().create_experiment("p")).info.run_id
        with pytest.raises(LabError, match="was recorded by another tool"):
            lab.Logger("p", version=foreign)


def _stopped_by(number: signal.Signals) -> StoredRun:
    """The run, as soon as the sender of the process that was stopped has closed it."""
    process = warm.python(STOPPED)
    wait_until(Path("version").exists)
    os.kill(process.pid, number)
    assert process.wait(60) != 0
    wait_until(lambda: not list(store.journals().iterdir()))
    return stored_runs.find(Path("version").read_text())


def _steps(run: StoredRun, metric: str) -> list[int]:
    return open_tables().histories([run.id], [metric])["step"].to_list()
