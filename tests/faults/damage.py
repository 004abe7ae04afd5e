"""Damaged files, one case each: what is said about it is clear, and what is whole elsewhere is used.

A case works in a folder of its own with an empty store and a trained run, and raises AssertionError where a promise
does not hold.
"""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from lab.cli import main
from lab.tracking import store
from lab.tracking.writing import journal, outbox, sender, upload
from lab.tracking.writing.outbox import Outbox
from lab.tracking.writing.tracker import Tracker

STEPS = 20
CASES: dict[str, Callable[[], None]] = {}
TINY = (
    "# Does it run?\ndata: {kind: digits, batch_size: 128}\nmodel: {kind: mlp, hidden: 8, layers: 1}\n"
    "trainer: {max_epochs: 1}\n"
)


def case(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def keep(function: Callable[[], None]) -> Callable[[], None]:
        CASES[name] = function
        return function

    return keep


def lab(*arguments: str) -> tuple[int, str]:
    """A command's exit code and all that it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            main.main(arguments)
        except SystemExit as ended:
            return int(ended.code or 0), printed.getvalue()
    raise AssertionError("a command always exits")


def refused(message: str, *arguments: str) -> None:
    """A command that exits with 2 and one line, which holds a message."""
    code, said = lab(*arguments)
    assert code == 2, (code, said)
    assert len(said.splitlines()) == 1, said
    assert message in said, said


def flip(path: Path, place: int) -> None:
    """Flip a bit of a byte, counted from the end where negative."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def cut(path: Path, left: float) -> None:
    """Leave a share of a file."""
    os.truncate(path, int(path.stat().st_size * left))


@contextlib.contextmanager
def unattended() -> Iterator[Outbox]:
    """An outbox without a sender, which its writer lets go of at the end."""
    started, outbox.start_sender = outbox.start_sender, lambda folder: None  # type: ignore[assignment, return-value]
    box = Outbox()
    try:
        yield box
    finally:
        outbox.start_sender = started
        box.release()


def unsent(steps: int = STEPS) -> Tracker:
    """A run whose process and sender are gone, with nothing sent."""
    with unattended() as box:
        tracker = box.tracker()
        tracker.start("damage", "one", {"seed": 1}, {})
        for step in range(steps):
            tracker.metrics({"loss": 1 / (step + 1)}, step)
        tracker.end("FINISHED")
    return tracker


def delivered(tracker: Tracker) -> tuple[str, str, list[int]]:
    """Deliver an outbox: the run's name, its state, and the steps that arrived."""
    sent = sender.send_outbox(tracker.folder.parent)
    assert sent is not None
    assert not tracker.folder.parent.exists()
    assert upload.stored_runs(store.client(), tracker.id) == [sent[tracker.id]]
    run = store.client().get_run(sent[tracker.id])
    steps = [point.step for point in store.client().get_metric_history(run.info.run_id, "loss")]
    return run.info.run_name, run.info.status, steps


@case("journal: the last record cut off")
def _() -> None:
    tracker = unsent()
    os.truncate(tracker.folder / journal.FILE, (tracker.folder / journal.FILE).stat().st_size - 5)
    assert delivered(tracker) == ("one", "KILLED", list(range(STEPS)))  # its end is lost, so it has none


@case("journal: half of it gone")
def _() -> None:
    tracker = unsent()
    cut(tracker.folder / journal.FILE, 0.5)
    name, state, steps = delivered(tracker)
    assert (name, state) == ("one", "KILLED")
    assert steps == list(range(len(steps)))
    assert len(steps) > STEPS / 3


@case("journal: empty")
def _() -> None:
    tracker = unsent()
    cut(tracker.folder / journal.FILE, 0)
    assert sender.send_outbox(tracker.folder.parent) == {}


@case("journal: a bit flipped in a value")
def _() -> None:
    tracker = unsent()
    text = (tracker.folder / journal.FILE).read_bytes()
    flip(tracker.folder / journal.FILE, text.index(b'"loss": 0.25') + 9)
    assert delivered(tracker) == ("one", "FINISHED", [step for step in range(STEPS) if step != 3])


@case("journal: a bit flipped in the first record")
def _() -> None:
    tracker = unsent()
    flip(tracker.folder / journal.FILE, 30)
    name, state, steps = delivered(tracker)
    assert name.startswith("recovered ")
    assert (state, steps) == ("FINISHED", list(range(STEPS)))


@case("journal: a block of zeros, as after a power failure")
def _() -> None:
    tracker = unsent()
    path = tracker.folder / journal.FILE
    content = bytearray(path.read_bytes())
    content[-200:] = bytes(200)
    path.write_bytes(content)
    name, state, steps = delivered(tracker)
    assert (name, state) == ("one", "KILLED")
    assert steps == list(range(len(steps)))


def _half_sent(damage: Callable[[Path], None]) -> None:
    """Damage the note of how far a journal is sent: all is sent again, and counts once."""
    tracker = unsent()
    half = upload.Upload(tracker.folder, store.client(), lambda tracker_id: None)
    half.send_new()
    half._save_state(ended=False)
    damage(tracker.folder / upload.STATE)
    assert delivered(tracker) == ("one", "FINISHED", list(range(STEPS)))


@case("sent.json: empty")
def _() -> None:
    _half_sent(lambda path: cut(path, 0))


@case("sent.json: truncated")
def _() -> None:
    _half_sent(lambda path: cut(path, 0.6))


@case("sent.json: a bit flipped")
def _() -> None:
    _half_sent(lambda path: flip(path, path.read_text().index('"offset": ') + 10))


@case("delivered.json: a bit flipped")
def _() -> None:
    tracker = unsent()
    (tracker.folder.parent / sender.SENT).write_text('{"runs": {"a": "b"}, "crc": 1}')
    assert delivered(tracker) == ("one", "FINISHED", list(range(STEPS)))


def _experiment(content: bytes, message: str) -> None:
    Path("experiments/broken.yaml").write_bytes(content)
    refused(message, "run", "broken")
    assert not list(store.journals().glob("*"))


@case("experiment: empty")
def _() -> None:
    _experiment(b"", "experiments/broken.yaml: must contain settings")


@case("experiment: truncated")
def _() -> None:
    _experiment(TINY.encode()[:40], "experiments/broken.yaml: line ")


@case("experiment: a bit flipped, no text any more")
def _() -> None:
    _experiment(TINY.encode().replace(b"run", b"r\xf5n"), "experiments/broken.yaml: not UTF-8 text (byte 11)")


@case("experiment: a bit flipped in a name")
def _() -> None:
    _experiment(
        TINY.encode().replace(b"hidden", b"hiddeo"), "model.hiddeo: no such setting; did you mean model.hidden?"
    )


@case("experiment: zeros")
def _() -> None:
    _experiment(TINY.encode() + bytes(20), "experiments/broken.yaml: ")


@case("comparison: truncated")
def _() -> None:
    path = Path("experiments/comparisons/broken.yaml")
    path.parent.mkdir(exist_ok=True)
    path.write_text("base: tiny\narms:\n  a: {model.hidden: 4")
    refused("experiments/comparisons/broken.yaml: line ", "compare", "broken")


def _artifact(name: str) -> Path:
    """The file of the trained run."""
    (found,) = store.root().glob(f"artifacts/tiny/*/artifacts/{name}")
    return found


@case("config.yaml of a run: truncated")
def _() -> None:
    cut(_artifact("config.yaml"), 0.4)
    refused("config of ", "test", "latest:tiny")


@case("config.yaml of a run: empty")
def _() -> None:
    cut(_artifact("config.yaml"), 0)
    refused("config of ", "test", "latest:tiny")


@case("checkpoint: empty")
def _() -> None:
    cut(_artifact("checkpoints/best.ckpt"), 0)
    refused("best.ckpt is damaged", "test", "latest:tiny")


@case("checkpoint: truncated")
def _() -> None:
    cut(_artifact("checkpoints/best.ckpt"), 0.7)
    refused("best.ckpt is damaged", "test", "latest:tiny")


@case("checkpoint: a bit flipped in a weight")
def _() -> None:
    path = _artifact("checkpoints/best.ckpt")
    flip(path, path.stat().st_size // 3)
    refused("best.ckpt is damaged", "test", "latest:tiny")


@case("store: its database is no database")
def _() -> None:
    before = Path.cwd()
    Path("elsewhere/mlruns").mkdir(parents=True)  # not under a database that this process has open
    os.chdir("elsewhere")
    os.environ.pop("MLFLOW_TRACKING_URI", None)  # where mlflow itself keeps the address
    try:
        store.database().write_bytes(b"\0nothing" * 1000)
        refused("cannot be read", "runs")
        refused("does not answer", "test", "latest:tiny")
    finally:
        os.chdir(before)
