"""Two processes that train together, by gloo: one run, as one process would train it."""

import os
import re
import signal
import time
from pathlib import Path

import psutil
import pytest
import torch
import warm
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from waiting import wait_until

from lab.config.experiment import load
from lab.errors import LabError, Stopped, TrainingFailed
from lab.tracking import store
from lab.tracking.reading import stored_runs
from lab.tracking.writing.outbox import Outbox
from lab.training import reproduce, resume
from lab.training import run as training
from lab.training.devices import processes

ONE = ("trainer.accelerator=cpu", "model.dropout=0")
TWO = (*ONE, "trainer.devices=2", "trainer.strategy=ddp")
TIMES = ("seconds_per_epoch", "samples_per_second", "system/")  # which differ between any two runs
# 101 samples cannot be halved, nor can the last batch, of 83; a loader has a worker process.
CLASSES = (
    "data={kind: digits, batch_size: 101, num_workers: 1}",
    "loss={kind: cross_entropy, class_weights: balanced}",
)
# Gradients are accumulated and clipped, weights averaged, and the schedule asks for the loss of the validation.
VALUES = (
    *("data={kind: diabetes, batch_size: 30}", "loss.kind=l1", "scheduler.kind=plateau", "trainer.average=ema"),
    *("trainer.accumulate_grad_batches=3", "trainer.gradient_clip_val=1"),
)
# Only three of ten classes count, so that some halves of a batch have no weight: their loss is 0 / 0.
RARE = ("data={kind: digits, batch_size: 24}", "loss={kind: 'rare:Rare'}")
RARE_LOSS = """
import torch

class Rare(torch.nn.CrossEntropyLoss):
    def __init__(self) -> None:
        super().__init__(torch.tensor([1.0, 1.0, 1.0, *[0.0] * 7]))
"""


def metrics_of(result: training.Result) -> dict[str, list[float]]:
    """All that the run has recorded, at every step, but for times."""
    assert result.run_id is not None
    stored = stored_runs.find(result.run_id)
    names = [name for name in stored.metrics if not name.startswith(TIMES)]
    return {name: [m.value for m in stored.client.get_metric_history(stored.id, name)] for name in names}


@pytest.mark.parametrize("settings", [CLASSES, VALUES, RARE])
def test_two_devices_train_as_one_does_with_the_same_batch_size(
    tiny: str, workplace: Path, settings: tuple[str, ...]
) -> None:
    """Each takes half of every batch: data.batch_size is that of one optimizer step, over all devices."""
    (workplace / "rare.py").write_text(RARE_LOSS)
    one = metrics_of(training.run(load(tiny, [*ONE, *settings])))
    two = training.run(load(tiny, [*TWO, *settings]))
    assert two.device == "2 × cpu"
    recorded = metrics_of(two)
    for split in ("train", "val", "test"):
        assert recorded[f"{split}/loss"] == pytest.approx(one[f"{split}/loss"], rel=1e-6)
    assert recorded.keys() == one.keys()
    for name, values in recorded.items():
        assert values == pytest.approx(one[name], rel=1e-4, abs=1e-6), name
    assert states() == ["FINISHED", "FINISHED"]  # one run each


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_train_as_one_does(tiny: str) -> None:
    settings = [*CLASSES, "model.dropout=0", "trainer.accelerator=gpu"]
    one = training.run(load(tiny, settings)).metrics
    two = training.run(load(tiny, [*settings, "trainer.devices=2"])).metrics
    assert two == pytest.approx(one, rel=1e-4)


class StopInTheSecondEpoch(Callback):
    """As Ctrl-C does at that point."""

    def on_train_batch_start(self, trainer: Trainer, *_: object) -> None:
        if trainer.current_epoch == 1:
            raise Stopped(signal.SIGINT)


def test_a_stopped_run_resumes_and_is_reproduced_to_the_last_bit(tiny: str) -> None:
    outbox = Outbox()
    with pytest.raises(Stopped):
        training.train(load(tiny, TWO), outbox.tracker(), [StopInTheSecondEpoch()])
    outbox.close()
    said: list[str] = []
    resumed = resume.resume("latest:tiny", [], [], said.append)
    assert "resumes from the end of epoch 1" in said[-1]
    assert resumed.run_id is not None
    again = reproduce.reproduce(resumed.run_id, [], said.append)
    assert again.verdict == "BIT-EXACT"
    assert not other_processes(os.getpid())


def other_processes(parent: int) -> list[psutil.Process]:
    """The processes of other devices below a process."""
    children = psutil.Process(parent).children(recursive=True)
    return [child for child in children if "lab.training.devices.other" in child.cmdline()]


def states() -> list[str]:
    return [run.info.status for run in store.client().search_runs(["1"])]


def journal_text() -> str:
    return "".join(path.read_text() for path in store.journals().glob("*/*/records.jsonl"))


@pytest.mark.parametrize(
    ("number", "code", "state", "line"),
    [
        (signal.SIGINT, 130, "KILLED", "lab: stopped; the run is recorded as KILLED, with its checkpoints\n"),
        (signal.SIGKILL, -9, "KILLED", ""),
        ("of the other", 1, "FAILED", "lab: the process of device 1 was ended by SIGKILL\n"),
    ],
)
def test_however_the_run_ends_no_process_is_left(
    tiny: str, number: signal.Signals | str, code: int, state: str, line: str
) -> None:
    process = warm.lab("run", tiny, *TWO, "trainer.max_epochs=100000")
    wait_until(lambda: re.search(r'"step": [2-9]', journal_text()) is not None, process=process)
    (other,) = other_processes(process.pid)
    if isinstance(number, str):
        other.kill()
    else:
        os.kill(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (code, line)
    other.wait(10)
    wait_until(lambda: states() == [state])


class StopTheOther(Callback):
    """SIGSTOP to the other process, in the second epoch."""

    def on_train_epoch_start(self, trainer: Trainer, *_: object) -> None:
        if trainer.current_epoch == 1:
            (other,) = other_processes(os.getpid())
            other.send_signal(signal.SIGSTOP)


def test_a_process_that_hangs_is_noticed_long_before_gloo_gives_up(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "SILENCE", 3)
    began = time.monotonic()
    with pytest.raises(TrainingFailed, match=r"^the process of device 1 did not answer for 3 seconds, and was ended$"):
        training.run(load(tiny, [*TWO, "trainer.max_epochs=3"]), [StopTheOther()])
    assert time.monotonic() - began < 60
    assert states() == ["FAILED"]
    assert not other_processes(os.getpid())


@pytest.mark.parametrize(
    ("number", "code", "line"), [(signal.SIGTERM, 143, ""), (signal.SIGINT, 130, "lab: interrupted\n")]
)
def test_a_run_that_is_stopped_while_the_others_are_built_leaves_nothing(
    tiny: str, number: signal.Signals, code: int, line: str
) -> None:
    process = warm.lab("run", tiny, *TWO)
    wait_until(lambda: other_processes(process.pid) != [], process=process)
    (other,) = other_processes(process.pid)
    paths = [Path(file.path) for file in other.open_files()]  # it has just started, and imports
    (folder,) = {path.parent for path in paths if path.parent.name.startswith("lab-devices-")}
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (code, line)
    assert not folder.exists()
    assert not other.is_running()


def test_a_device_that_cannot_start_is_one_line_and_no_run(tiny: str, workplace: Path) -> None:
    """The network can only be built in the process of the run."""
    (workplace / "for_one.py").write_text(
        "import os\nfrom torch import nn\n"
        "class Once(nn.Sequential):\n"
        "    def __init__(self, out_features: int):\n"
        f"        if os.getpid() != {os.getpid()}:\n"
        "            raise ValueError('not here')\n"
        "        super().__init__(nn.Flatten(), nn.Linear(64, out_features))\n"
    )
    with pytest.raises(LabError, match=r"the process of device 1 failed: .*not here"):
        training.run(load(tiny, [*TWO[:1], "trainer.devices=2", "model={kind: for_one:Once}"]))
    assert not store.client().search_experiments(filter_string="name = 'tiny'")
