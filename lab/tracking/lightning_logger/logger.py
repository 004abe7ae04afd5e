"""The logger itself: existing Lightning code is tracked by the lab with `Trainer(logger=lab.Logger("my-project"))`."""

import os
import sys
import traceback
import uuid
from argparse import Namespace
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.loggers import Logger as LightningLogger
from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn

from lab.errors import LabError, Stopped, place_of
from lab.tracking import environment, store
from lab.tracking.lightning_logger import hyperparameters, open_runs, resuming
from lab.tracking.lightning_logger.checkpoints import Checkpoints
from lab.tracking.lightning_logger.recorder import Recorder
from lab.tracking.reading import directions as known_directions
from lab.tracking.reading.metric_names import VALIDATION, split_of
from lab.tracking.writing.tracker import as_param, stored_name

DEFAULT_NAME = "lightning_logs"  # as that of Lightning's own loggers
GLOBAL_SEED = "PL_GLOBAL_SEED"  # where `seed_everything` leaves the seed
STATES = {"success": "FINISHED", "finished": "FINISHED", "aborted": "KILLED", "killed": "KILLED"}
LONGEST_FAILURE = 1_000  # characters
SECONDS_FOR_RUN_ID = 30.0


class Logger(LightningLogger):
    """Records what a Trainer, or a LightningModule by `self.log`, logs in a run of the lab; never waits for the store.

    `name` is the project, the experiment in MLflow. `version` is a run to continue: its id, the start of it, its name,
    or the `version` of its logger. `run_name` is the name of a new run. `save_dir` is where Lightning puts checkpoints
    and other files, by default a folder of the run below `mlruns/lightning`; with `log_model=True` the best and the
    last checkpoint are recorded when training ends, with "all" each one when it is saved. `directions` says whether a
    higher value of a metric is better, as in `{"val_acc": "max"}`, where no ModelCheckpoint or EarlyStopping monitors
    it. Raises LabError.
    """

    LOGGER_JOIN_CHAR = "-"

    def __init__(
        self,
        name: str | None = None,
        version: str | None = None,
        save_dir: str | os.PathLike[str] | None = None,
        run_name: str = "",
        log_model: bool | Literal["all"] = True,
        directions: Mapping[str, Literal["min", "max"]] | None = None,
        tags: Mapping[str, Any] | None = None,
        prefix: str = "",
    ):
        super().__init__()
        if name == "":
            raise LabError("name: must not be empty; it is the project, such as 'digits'")
        if log_model not in (True, False, "all"):
            raise LabError(f"log_model: must be True, False or 'all', not {log_model!r}")
        self._prefix = f"{prefix}{self.LOGGER_JOIN_CHAR}" if prefix else ""
        self._directions = {self._key(name): mode for name, mode in _checked_directions(directions or {}).items()}
        resumed = resuming.find(version, name) if version is not None and _is_rank_zero() else None
        self._name = resumed.experiment if resumed else name or DEFAULT_NAME
        self._version = resumed.version if resumed else version or uuid.uuid4().hex
        self._params = dict(resumed.params) if resumed else {}  # as recorded, as text
        self._save_dir = os.fspath(save_dir or store.root() / "lightning" / self._version)
        self._log_model = log_model
        self._tags = dict(known_directions.as_tag(self._directions)) if self._directions else {}
        started_with = {str(tag): str(value) for tag, value in (tags or {}).items()} | self._tags
        self._recorder = Recorder(self._version, self._name, run_name, started_with)
        self._prepared = False
        self._names: dict[str, str] = {}  # of metrics, as they are stored
        self._latest: dict[str, float] = {}
        self._monitor: str | None = None  # of the Trainer's first ModelCheckpoint
        self._best_checkpoint = ""
        self._checkpoints = Checkpoints()

    # What it is

    @property
    def name(self) -> str:
        """The project."""
        return self._name

    @property
    def version(self) -> str:
        """The id of the run; `run_id` is that in MLflow."""
        return self._version

    @property
    def save_dir(self) -> str:
        """Where Lightning puts checkpoints and other files: `trainer.log_dir`."""
        return self._save_dir

    @property
    def root_dir(self) -> str:
        """The folder of the project below `save_dir`."""
        return str(Path(self.save_dir) / self.name)

    @property
    def log_dir(self) -> str:
        """The folder of the run below `root_dir`, with its checkpoints."""
        return str(Path(self.root_dir) / self.version)

    @property
    @rank_zero_experiment
    def experiment(self) -> Recorder:
        """Records values and files of the run directly: `self.logger.experiment.artifact("samples.png")`.

        Raises LabError where nothing could be recorded; a Trainer asks for it before it trains.
        """
        if not self._prepared:
            self._recorder.check_writable()
            Path(self.log_dir).mkdir(parents=True, exist_ok=True)
            self._prepared = True
        return self._recorder

    @property
    def run_id(self) -> str | None:
        """The id of the run in MLflow; waits until the sender has made it. None where nothing is recorded or sent."""
        seconds = SECONDS_FOR_RUN_ID if self._recorder.was_started else 0.0
        return open_runs.wait_for_stored_id(self._version, seconds) or resuming.stored_id(self._version)

    # What is logged

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Record values at a step; without one, one step after the last. What is not a number is left out."""
        values = {}
        for name, value in metrics.items():
            number = _as_number(value)
            if number is None:
                rank_zero_warn(f"{name} is not recorded: {type(value).__name__} is not a number")
            else:
                values[self._names.get(name) or self._stored_name(name)] = number
        if not self._latest:
            self._record_seed()
        self._latest |= values
        self._recorder.metrics(values, step)

    @rank_zero_only
    def log_hyperparams(
        self, params: Mapping[str, Any] | Namespace | None = None, metrics: Mapping[str, Any] | None = None, *_: Any
    ) -> None:
        """Record settings: nested ones by dotted names, objects as text; and initial values of metrics, if any."""
        new = {}
        for name, value in hyperparameters.flatten(params).items():
            text = as_param(value)
            recorded = self._params.get(name)
            if recorded is None:
                self._params[name] = text
                new[name] = value
            elif recorded != text:
                rank_zero_warn(f"{name} is recorded as {recorded} and stays so; for {text}, start a new run")
        self._recorder.params(new)
        if metrics:
            self.log_metrics(metrics)

    @rank_zero_only
    def log_graph(self, model: nn.Module, input_array: Tensor | None = None) -> None:
        """Record the device, and the directions that the callbacks of the model's Trainer monitor."""
        try:
            trainer: Any = model.trainer
        except (AttributeError, RuntimeError):  # not a LightningModule, or not in a Trainer
            return
        if trainer is None or trainer.predicting:
            return
        self._monitor = getattr(trainer.checkpoint_callback, "monitor", None)
        self._note_directions(_monitored(trainer.callbacks))
        self._set_tags({"machine.device": str(trainer.strategy.root_device), "machine.gpu": environment.gpu()})

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Note a checkpoint, its monitored metric, and the values of validation metrics when it is the best one."""
        self._checkpoints.note(checkpoint_callback)
        self._note_directions(_monitored([checkpoint_callback]))
        self._record_best(checkpoint_callback)
        if self._log_model == "all" or (self._log_model and getattr(checkpoint_callback, "save_top_k", 1) == -1):
            self._checkpoints.record_all(checkpoint_callback, self._recorder)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Record the checkpoints and the end of the run; what is logged later opens it again."""
        error = sys.exception()
        state = _final_state(status, error)
        try:
            if self._log_model:
                self._checkpoints.record(self._recorder)
            if state == "FAILED" and error is not None and self._recorder.is_open:
                self._record_failure(error)
        except OSError as failed:  # a full disk; the end is recorded all the same
            rank_zero_warn(f"not all files of the run are recorded: {failed}")
        self._recorder.end(state)

    # Helpers

    def _key(self, name: str) -> str:
        return stored_name(f"{self._prefix}{name}")

    def _stored_name(self, name: str) -> str:
        stored = self._names[name] = self._key(name)
        if stored != f"{self._prefix}{name}":
            rank_zero_warn(f"the metric {name} is stored as {stored}: MLflow refuses some characters")
        return stored

    def _record_seed(self) -> None:
        """Record the seed of `seed_everything`, by which runs are paired, where the settings do not name one."""
        seed = os.environ.get(GLOBAL_SEED)
        if seed and not self._params.keys() & set(store.SEED_PARAMS):
            self.log_hyperparams({"seed": seed})

    def _note_directions(self, monitored: Mapping[str, bool]) -> None:
        """Add directions that callbacks declare; what the user said, or what a name says, is not overruled."""
        for name, higher in monitored.items():
            known = self._directions.get(self._key(name), known_directions.higher_is_better(name, {}))
            if known is None:
                self._directions[self._key(name)] = higher
            elif known != higher:
                better, mode = ("higher", "min") if known else ("lower", "max")
                rank_zero_warn(f"a {better} {name} is better, but a callback monitors it with mode='{mode}'")
        if self._directions:
            self._set_tags(known_directions.as_tag(self._directions))

    def _set_tags(self, tags: Mapping[str, str]) -> None:
        """Record the tags that have changed."""
        new = {tag: value for tag, value in tags.items() if self._tags.get(tag) != value}
        self._tags |= new
        self._recorder.tags(new)

    def _record_best(self, callback: Any) -> None:
        """Record the validation metrics at the best checkpoint of the first ModelCheckpoint, as `at_best/NAME`."""
        monitor, best = getattr(callback, "monitor", None), getattr(callback, "best_model_path", "")
        if monitor is None or monitor != self._monitor or best in ("", self._best_checkpoint):
            return
        self._best_checkpoint = best
        values = {name: value for name, value in self._latest.items() if split_of(name)[0] == VALIDATION}
        score = _as_number(callback.best_model_score)
        if score is not None:
            values[self._key(monitor)] = score
        self._recorder.summary({f"at_best/{name}": value for name, value in values.items()})

    def _record_failure(self, error: BaseException) -> None:
        """Record what failed and where, and the traceback."""
        message = " ".join(f"{type(error).__name__}: {error}".split())
        self._recorder.tags({"lab.failure": f"{message[:LONGEST_FAILURE]}{place_of(error)}"})
        self._recorder.text("error.txt", "".join(traceback.format_exception(error)))


def _is_rank_zero() -> bool:
    return getattr(rank_zero_only, "rank", 0) == 0


def _checked_directions(directions: Mapping[str, str]) -> dict[str, bool]:
    for name, mode in directions.items():
        if mode not in ("min", "max"):
            raise LabError(f"directions: {name} must be 'min' or 'max', not {mode!r}")
    return {name: mode == "max" for name, mode in directions.items()}


def _monitored(callbacks: Iterable[Any]) -> dict[str, bool]:
    """The metrics that callbacks monitor, and whether higher is better; without those on which they disagree."""
    found: dict[str, set[bool]] = {}
    for callback in callbacks:
        monitor, mode = getattr(callback, "monitor", None), getattr(callback, "mode", None)
        if isinstance(monitor, str) and mode in ("min", "max"):
            found.setdefault(monitor, set()).add(mode == "max")
    return {name: sides.pop() for name, sides in found.items() if len(sides) == 1}


def _as_number(value: Any) -> float | None:
    """A number, of any kind and also not finite, as a float; None for anything else."""
    if isinstance(value, str):
        return None
    with suppress(TypeError, ValueError, RuntimeError, OverflowError):
        return float(value)
    return None


def _final_state(status: str, error: BaseException | None) -> str:
    """FINISHED, FAILED, or KILLED where a signal ended the training, from what Lightning says and is handling."""
    if isinstance(error, KeyboardInterrupt | SIGTERMException | Stopped) and status == "failed":
        return "KILLED"
    return STATES.get(status.lower(), "FAILED")
