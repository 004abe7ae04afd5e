"""How a run ends that raises: its final state, and the lines that say what happened, where, and how to go on."""

import contextlib
import errno
import traceback

from lab.errors import Stopped, TrainingFailed, described, place_of, see
from lab.tracking.writing.tracker import Tracker

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def final_state(error: BaseException, experiment: str, tracker: Tracker) -> tuple[str, BaseException]:
    """The state in which a run of an experiment ends, and the exception that is raised in place of `error`."""
    if isinstance(error, Stopped):
        return "KILLED", error
    if isinstance(error, KeyboardInterrupt) and not place_of(error):
        return "KILLED", error
    if isinstance(error, TrainingFailed):
        return "FAILED", error
    if isinstance(error, OSError) and not place_of(error):
        return "FAILED", TrainingFailed(_of_a_file(error, experiment, tracker))
    return "FAILED", TrainingFailed(_of_own_code(error, experiment, tracker))


def _of_own_code(error: BaseException, experiment: str, tracker: Tracker) -> str:
    """What a person's code raised, and where; the traceback is kept with the run."""
    with contextlib.suppress(OSError):
        tracker.text("error.txt", "".join(traceback.format_exception(error)))
    return (
        f"{_reason(error)}{place_of(error)}\n"
        f"the traceback is in the run's file error.txt; once it is fixed, go on with: lab resume latest:{experiment}"
    )


def _reason(error: BaseException) -> str:
    """What was raised; Lightning exits at a KeyboardInterrupt, which is none of Ctrl-C: that raises Stopped."""
    if isinstance(error.__context__, KeyboardInterrupt):
        return "KeyboardInterrupt was raised during the run"
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r}) was called during the run"
    return described(error)


def _of_a_file(error: OSError, experiment: str, tracker: Tracker) -> str:
    """What became of a run that could not read or write a file."""
    full = error.errno in DISK_FULL
    lines = [
        f"{error.filename or tracker.folder}: {error.strerror}{see('disk-full') if full else ''}",
        "the run was stopped; what it recorded until then is kept, and runs finished before are untouched",
    ]
    if full:
        lines.append(f"free some space, then resume it: lab resume latest:{experiment}")
    return "\n".join(lines)
