"""Files and names made by somebody who means harm: none runs code, none leaves its folder, no secret is written.

A case works as in damage.py. Whatever got through would leave a file named PWNED.
"""

import logging
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from damage import _artifact, lab, refused, unattended, unsent

from lab import files
from lab.errors import LabError, redacted
from lab.tracking import store
from lab.tracking.reading.artifacts import Artifacts
from lab.tracking.writing import journal, sender
from lab.tracking.writing.tracker import Tracker

PWNED = Path("PWNED")
CASES: dict[str, Callable[[], None]] = {}


class Evil:
    """Runs a command where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {PWNED.absolute()}",)


def case(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def keep(function: Callable[[], None]) -> Callable[[], None]:
        CASES[name] = function
        return function

    return keep


@case("checkpoint that runs a command when it is unpickled")
def _() -> None:
    path = _artifact("checkpoints/best.ckpt")
    torch.save({"state_dict": Evil(), "epoch": 1}, path)
    refused("best.ckpt is damaged", "test", "latest:tiny")
    path.write_bytes(pickle.dumps(Evil()))
    refused("best.ckpt is damaged", "test", "latest:tiny")


@case("split.npz and cached data that hold pickles")
def _() -> None:
    with zipfile.ZipFile(_artifact("split.npz"), "w") as archive:
        archive.writestr("train.npy", b"\x93NUMPY\x01\x00" + pickle.dumps(Evil()))
    lab("test", "latest:tiny")


@case("experiment that names functions of the system")
def _() -> None:
    for section in ("data", "model", "optimizer", "scheduler", "loss"):
        code, said = lab("run", "tiny", f"{section}={{kind: 'os:system', command: 'touch {PWNED.absolute()}'}}")
        assert code == 2
        assert f"{section}.kind: os:system is not called" in said
    for kind in ("subprocess:Popen", "builtins:eval", "torch.hub:load", "pathlib:Path", "os:path"):
        assert lab("run", "tiny", f"model={{kind: '{kind}'}}")[0] == 2


@case("experiment with YAML tags that make objects")
def _() -> None:
    Path("experiments/evil.yaml").write_text(f"data: !!python/object/apply:os.system ['touch {PWNED.absolute()}']\n")
    refused("experiments/evil.yaml: line 1", "run", "evil")


@case("config.yaml of a run in the store that names functions of the system")
def _() -> None:
    _artifact("config.yaml").write_text(
        f"data: {{kind: digits}}\nmodel: {{kind: 'os:system', command: 'touch {PWNED.absolute()}'}}\n"
    )
    refused("model.kind: os:system is not called", "test", "latest:tiny")


@case("experiment, comparison and run names that are paths")
def _() -> None:
    Path("outside.yaml").write_text("data: {kind: digits}\nmodel: {kind: mlp}\n")
    Path("/tmp/lab-outside.yaml").write_text("data: {kind: digits}\nmodel: {kind: mlp}\n")
    for name in ("../outside", "../../tmp/lab-outside", "/tmp/lab-outside", "comparisons/../../outside", ".", ""):
        assert lab("run", name)[0] == 2
        assert lab("compare", name)[0] == 2
        assert lab("study", name)[0] == 2
    for name in ("../outside", "/etc/passwd", "latest:../../etc", "best:..", "' OR 1=1 --"):
        assert lab("test", name)[0] == 2


@case("MLflow experiments whose names are paths keep their files in the store")
def _() -> None:
    for name in ("../../../../escape", "/tmp/escape", "..", "a/b", ".hidden", "c\\d", "x" * 300 + "/../y"):
        place = (store.root() / "artifacts" / files.as_folder_name(name)).resolve()
        assert place.parent == (store.root() / "artifacts").resolve(), name
    with unattended() as box:
        tracker = box.tracker()
        tracker.start("../../../../escape", "../../../x", {}, {})
        tracker.text("a.txt", "kept")
        tracker.end("FINISHED")
    sent = sender.send_outbox(box.folder)
    assert sent is not None
    (kept,) = store.root().glob("artifacts/*/*/artifacts/a.txt")
    assert sent[tracker.id] in str(kept)


def _with_record(tracker: Tracker, **content: object) -> None:
    """Put a record before the last one of a journal."""
    path = tracker.folder / journal.FILE
    *lines, end = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, journal.with_checksum({"time": 1, **content}), end]))


@case("journal that names files outside of its run")
def _() -> None:
    Path("secret.txt").write_text("do not send me")
    tracker = unsent()
    (tracker.folder / "link").symlink_to(Path("secret.txt").absolute())
    for name in ("../../../../secret.txt", str(Path("secret.txt").absolute()), "link", "a/../../../x"):
        _with_record(tracker, kind="artifact", path=name)
    _with_record(tracker, kind="model", path="../../../../experiments", task="classification")
    logging.disable(logging.WARNING)
    sent = sender.send_outbox(tracker.folder.parent)
    logging.disable(logging.NOTSET)
    assert sent is not None
    assert not store.client().list_artifacts(sent[tracker.id])
    assert store.client().get_run(sent[tracker.id]).info.status == "FINISHED"


@case("artifact names in the store that are paths")
def _() -> None:
    client = store.client()
    (run,) = client.search_runs(["1"])
    for name in ("../../../../../secret.txt", "/etc/passwd", "a/../../../x"):
        try:
            found = Artifacts().file(run.info.run_id, name)
        except LabError:
            continue
        raise AssertionError(f"{name} was read: {found}")


@case("secrets of the environment and of addresses in records, logs and messages")
def _() -> None:
    secret = "hunter2-hunter2"
    os.environ["MY_API_TOKEN"] = secret
    os.environ["MLFLOW_TRACKING_URI"] = f"http://me:{secret[::-1]}@127.0.0.1:9"
    try:
        assert redacted(f"git+https://me:pw@host/x {secret}") == "git+https://host/x ***"
        tracker = unsent()
        folder = tracker.folder.parent
        text = (tracker.folder / journal.FILE).read_text()
        assert sender.send_outbox(folder) is None
        text += (folder / sender.LOG).read_text()
        text += lab("runs")[1] + lab("sync")[1] + lab("doctor")[1]
    finally:
        del os.environ["MY_API_TOKEN"], os.environ["MLFLOW_TRACKING_URI"]
    assert secret not in text
    assert secret[::-1] not in text
    assert "127.0.0.1:9" in text


@case("secrets in settings, tags, failures and files of a run")
def _() -> None:
    secret = "hunter2-hunter2"
    os.environ["MY_API_TOKEN"] = secret
    try:
        with unattended() as box:
            tracker = box.tracker()
            settings = {"a": secret, "b": [secret]}
            tracker.start("secrets", f"run {secret}", settings, {"remote": f"https://u:{secret}@git"})
            tracker.tags({"lab.failure": f"RuntimeError: no access with {secret}"})
            tracker.text("git.diff", f"+ token = '{secret}'")
            written = [path.read_text() for path in box.folder.rglob("*") if path.is_file()]
    finally:
        del os.environ["MY_API_TOKEN"]
    assert not [text for text in written if secret in text]
