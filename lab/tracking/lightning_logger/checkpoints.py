"""Which checkpoints of a training are recorded: the best and the last of each ModelCheckpoint, or all."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.tracking.lightning_logger.recorder import Recorder
from lab.tracking.writing.tracker import stored_name

FOLDER = "checkpoints"


@dataclass
class Checkpoints:
    """The newest paths of each ModelCheckpoint, by its key: plain text, so that a logger can be pickled."""

    best: dict[str, str] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    recorded: dict[str, tuple[str, float]] = field(default_factory=dict)  # artifact to path and time of modification

    def note(self, callback: Any) -> None:
        """Remember the paths of a ModelCheckpoint; without a monitored metric, its best checkpoint is the last."""
        key = str(getattr(callback, "state_key", ""))
        best, last = (str(getattr(callback, f"{which}_model_path", "")) for which in ("best", "last"))
        if getattr(callback, "monitor", None) is None:
            best, last = "", last or best
        self.best[key] = best
        self.last[key] = last

    def record_all(self, callback: Any, recorder: Recorder) -> None:
        """Record every checkpoint that the callback has kept, under its own name."""
        paths = {*getattr(callback, "best_k_models", {}), self.best[callback.state_key], self.last[callback.state_key]}
        for path in sorted(paths - {""}):
            self._record(path, f"{FOLDER}/{Path(path).name}", recorder)

    def record(self, recorder: Recorder) -> None:
        """Record the best and the last checkpoint, as best.ckpt and last.ckpt of the first callback."""
        for number, key in enumerate(self.best):
            folder = FOLDER if number == 0 else f"{FOLDER}/{stored_name(key)}"
            for which, path in (("best", self.best[key]), ("last", self.last[key])):
                self._record(path, f"{folder}/{which}.ckpt", recorder)

    def _record(self, path: str, name: str, recorder: Recorder) -> None:
        """Record a checkpoint, a file or a folder, unless it is recorded; one that is not on this machine is left."""
        if path and Path(path).exists():
            known = (path, Path(path).stat().st_mtime)
            if self.recorded.get(name) != known:
                recorder.artifact(path, name)
                self.recorded[name] = known
