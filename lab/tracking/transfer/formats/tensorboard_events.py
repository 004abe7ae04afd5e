"""Folders of TensorBoard's event files as runs."""

from pathlib import Path
from typing import Any

from lab.errors import LabError, install
from lab.tracking.transfer.formats.csv_files import SETTINGS, settings
from lab.tracking.transfer.formats.runs import Foreign, Value

PATTERN = "events.out.tfevents.*"
MISSING = f"TensorBoard's files need its package, which reads them: {install('import')}"


def read(place: Path, name: str) -> Foreign:
    """The scalars in the event files of a folder, every one of them, read by TensorBoard's own reader."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError:
        raise LabError(f"{place}: {MISSING}") from None
    events = EventAccumulator(str(place), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    kinds = events.Tags()
    values = [_scalar(tag, each, each.value) for tag in kinds["scalars"] for each in events.Scalars(tag)]
    in_tensors = [tag for tag in kinds["tensors"] if _is_scalar(events, tag)]
    for tag in in_tensors:  # as TensorFlow 2 writes them
        values += [_scalar(tag, each, make_ndarray(each.tensor_proto).item()) for each in events.Tensors(tag)]
    others = {kind: len(tags) for kind, tags in kinds.items() if isinstance(tags, list) and kind != "scalars"}
    others["tensors"] -= len(in_tensors)
    left_out = ", ".join(f"{count} {kind}" for kind, count in others.items() if count)
    return Foreign(name, "tensorboard", place, values, settings(place / SETTINGS), left_out)


def _is_scalar(events: Any, tag: str) -> bool:
    return bool(events.SummaryMetadata(tag).plugin_data.plugin_name == "scalars")


def _scalar(tag: str, event: Any, value: float) -> Value:
    return Value(tag, event.step, round(event.wall_time * 1000), float(value))
