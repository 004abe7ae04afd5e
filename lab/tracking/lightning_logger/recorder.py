"""`logger.experiment`: values, settings, tags and files of one run, which starts with its first record."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.errors import LabError
from lab.tracking import environment, store
from lab.tracking.lightning_logger import open_runs
from lab.tracking.writing.tracker import Tracker, stored_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = ("CHW", "HWC", "HW")  # of images


class Recorder:
    """Records one run in its local journal; never waits for the store.

    `add_scalar`, `add_image` and their like are those of TensorBoard's SummaryWriter, which many scripts call. Raises
    LabError at the first record where nothing could be recorded.
    """

    def __init__(self, run: str, experiment: str, name: str, tags: Mapping[str, str]):
        self.run = run  # the id of its tracker
        self._experiment = experiment
        self._name = name
        self._tags = dict(tags)
        self._root = store.root()  # wherever the process goes later
        self.was_started = False
        self._last_step = -1

    @property
    def is_open(self) -> bool:
        """Whether something was recorded in this process since the last `end`."""
        return open_runs.of_process().get(self.run) is not None

    def check_writable(self) -> None:
        """Raise LabError where nothing could be recorded; leaves no file behind."""
        store.check_writable(self._root)

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Record values at a step; without one, one step after the last."""
        self._last_step = self._last_step + 1 if step is None else int(step)
        if values:
            self._tracker().metrics(values, self._last_step)

    def summary(self, values: Mapping[str, float]) -> None:
        """Record values that sum up the run so far, at its last step."""
        if values:
            self._tracker().metrics(values, max(self._last_step, 0))

    def params(self, values: Mapping[str, Any]) -> None:
        """Record settings; a setting that is recorded cannot be changed."""
        if values:
            self._tracker().params(values)

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags."""
        if values:
            self._tracker().tags(values)

    def text(self, name: str, content: str) -> None:
        """Record a text as an artifact."""
        self._tracker().text(name, content)

    def artifact(self, path: str | Path, name: str = "") -> None:
        """Record a copy of a file, or of all files of a folder, as artifacts; raises LabError where there is none."""
        source = Path(path)
        target = name or source.name
        if source.is_dir():
            for each in sorted(found for found in source.rglob("*") if found.is_file()):
                self.artifact(each, f"{target}/{each.relative_to(source)}")
            return
        if not source.is_file():
            raise LabError(f"{source}: there is no such file to record")
        tracker = self._tracker()
        shutil.copyfile(source, tracker.path(target))
        tracker.artifact(target)

    def end(self, status: str) -> None:
        """Record the end, FINISHED, FAILED or KILLED; a later record opens the run again."""
        open_runs.of_process().end(self.run, status)

    def _tracker(self) -> Tracker:
        runs = open_runs.of_process()
        return runs.get(self.run) or self._start(runs)

    def _start(self, runs: open_runs.OpenRuns) -> Tracker:
        self.check_writable()
        tags = {} if self.was_started else environment.tags() | {"lab.kind": "run"} | self._tags
        self.was_started = True
        return runs.start(self._root / store.JOURNALS, self.run, self._experiment, self._name, tags)

    # As TensorBoard's SummaryWriter

    def add_scalar(self, tag: str, scalar_value: Any, global_step: int | None = None, *_: Any, **__: Any) -> None:
        """Record a value at a step."""
        self.metrics({stored_name(tag): float(scalar_value)}, global_step)

    def add_scalars(self, main_tag: str, tag_scalar_dict: Mapping[str, Any], global_step: int | None = None) -> None:
        """Record several values at a step, as `main_tag/name`."""
        self.metrics(
            {stored_name(f"{main_tag}/{tag}"): float(each) for tag, each in tag_scalar_dict.items()}, global_step
        )

    def add_text(self, tag: str, text_string: str, global_step: int | None = None, *_: Any) -> None:
        """Record a text as `texts/TAG-STEP.md`."""
        self.text(self._file("texts", tag, global_step, "md"), text_string)

    def add_image(
        self, tag: str, img_tensor: Any, global_step: int | None = None, walltime: Any = None, dataformats: str = "CHW"
    ) -> None:
        """Record an image, of bytes or of values from 0 to 1, as `images/TAG-STEP.png`; raises LabError for others."""
        from PIL import Image

        name = self._file("images", tag, global_step, "png")
        tracker = self._tracker()
        Image.fromarray(_pixels(img_tensor, dataformats)).save(tracker.path(name))
        tracker.artifact(name)

    def add_figure(self, tag: str, figure: "Figure", global_step: int | None = None, close: bool = True) -> None:
        """Record a matplotlib figure as `figures/TAG-STEP.png`."""
        name = self._file("figures", tag, global_step, "png")
        tracker = self._tracker()
        figure.savefig(tracker.path(name))
        tracker.artifact(name)
        if close:
            from matplotlib import pyplot

            pyplot.close(figure)

    def flush(self) -> None:
        """Do nothing: every record is on its way at once."""

    def close(self) -> None:
        """Do nothing: the logger ends the run."""

    def _file(self, folder: str, tag: str, step: int | None, suffix: str) -> str:
        number = self._last_step + 1 if step is None else int(step)
        return f"{folder}/{stored_name(tag)}-{number:06d}.{suffix}"


def _pixels(image: Any, axes: str) -> np.ndarray:
    """An image (C, H, W), (H, W, C) or (H, W) as bytes (H, W, 3), (H, W, 4) or (H, W)."""
    array = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if axes not in AXES or array.ndim != len(axes):
        raise LabError(
            f"add_image: an image of shape {array.shape} is not {axes}; one of {', '.join(AXES)} is recorded"
        )
    if axes == "CHW":
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return array if array.dtype == np.uint8 else (np.clip(np.nan_to_num(array), 0, 1) * 255).astype(np.uint8)
