"""The rehearsal of one whole batch: each mistake in a person's own code is one line, before anything is recorded."""

import shutil
import sys
from pathlib import Path

import pytest
import torch

from lab.config.experiment import load
from lab.errors import LabError, TrainingFailed
from lab.tracking import store
from lab.tracking.reading import stored_runs
from lab.training import run as training
from lab.training.building import build
from lab.training.rehearsal import whole_batch

MISTAKES = Path(__file__).with_name("mistakes.py")
LINES = MISTAKES.read_text().splitlines()


@pytest.fixture(autouse=True)
def own(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(MISTAKES, workplace)
    monkeypatch.delitem(sys.modules, "mistakes", raising=False)  # of another test, from another folder


def refusal(section: str, name: str) -> str:
    with pytest.raises(LabError) as refused:
        training.run(load("digits", [f"{section}={{kind: 'mistakes:{name}'}}"]))
    assert not store.database().exists() or not store.client().search_runs(["0", "1"])
    assert len(refused.value.lines) == 1
    return str(refused.value)


def place(text: str) -> str:
    """Where the code of the mistake stands."""
    return f"(mistakes.py:{next(number for number, line in enumerate(LINES, start=1) if text in line)})"


@pytest.mark.parametrize(
    ("section", "name", "message"),
    [
        ("model", "Integers", "model: mistakes:Integers must return floating-point numbers, but returns int64"),
        ("model", "Infinite", "returns infinite or NaN outputs for its first batch"),
        ("model", "Detached", "returns outputs without a gradient"),
        ("model", "Frozen", "has no parameter that requires a gradient"),
        (
            "model",
            "FullBatches",
            f"the last batch of an epoch, of 15 samples: ValueError: needs batches of 64 {place('needs batches')}",
        ),
        ("model", "ExtraState", "model: its state_dict fails to be saved as tensors and plain values"),
        ("model", "Exits", f"model: mistakes:Exits cannot be built: SystemExit: 3 {place('sys.exit(3)')}"),
        (
            "model",
            "Lightning",
            "is a LightningModule, whose training_step and configure_optimizers would not",
        ),
        ("loss", "VectorLoss", "loss: mistakes:VectorLoss must return one number, but returns (64,); take its mean"),
        ("loss", "NumberLoss", "must return a tensor, but returns float"),
        ("loss", "ConstantLoss", "returns a number without a gradient, so nothing can be learned"),
        ("loss", "NaNLoss", "loss: mistakes:NaNLoss is nan for the first batch"),
        ("optimizer", "Exploding", "makes linears.0.weight NaN in its first step"),
        ("optimizer", "Stateful", "optimizer: its state_dict fails to be saved"),
        ("scheduler", "Schedule", f"fails to take a step: RuntimeError: no rate {place('no rate')}"),
    ],
)
def test_a_mistake_is_one_line(section: str, name: str, message: str) -> None:
    assert message in refusal(section, name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "Unprepared",
            "data: mistakes:Unprepared cannot be read: AttributeError: 'Unprepared' object has no",
        ),
        ("ShortEncoding", "data: mistakes:ShortEncoding cannot be read: IndexError: index"),
        ("NoWrapper", r"data: mistakes:NoWrapper.wrap\(\) must return a network, not NoneType"),
    ],
)
def test_a_mistake_in_a_data_module_is_one_line(name: str, message: str) -> None:
    with pytest.raises(LabError, match=message) as refused:
        build(load("digits", [f"data={{kind: 'mistakes:{name}'}}", "model={kind: linear}"]))
    assert len(refused.value.lines) == 1


def test_a_class_without_a_training_sample_is_a_note() -> None:
    built = build(load("digits", ["data={kind: 'mistakes:Unseen'}", "model={kind: linear}"]))
    assert ("classes", "no training sample is of class c") in built.data.notes


def test_an_optimizer_that_needs_a_closure_is_refused() -> None:
    with pytest.raises(LabError, match=r"optimizer: torch.optim.LBFGS fails to take a step: .*closure"):
        training.run(load("digits", ["optimizer={kind: torch.optim.LBFGS}"]))


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("Softmax", "its outputs add up to 1; after softmax a perfect prediction still costs 1.46"),
        ("Idle", "mistakes:Idle: idle.weight, idle.bias got no gradient from the first batch"),
    ],
)
def test_what_is_odd_but_can_be_trained_is_a_note(name: str, note: str) -> None:
    built = build(load("digits", [f"model={{kind: 'mistakes:{name}'}}"]))
    assert ("model", note) in whole_batch.rehearse(built).notes


@pytest.mark.parametrize("name", ["mistakes:Net", "mistakes:Locked"])
def test_the_rehearsal_leaves_weights_and_randomness_as_they_are(name: str) -> None:
    built = build(load("digits", [f"model={{kind: '{name}'}}"]))
    before = {key: value.clone() for key, value in built.module.state_dict().items()}
    state = torch.get_rng_state()
    assert whole_batch.rehearse(built).notes == []
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[key], value) for key, value in built.module.state_dict().items())
    assert all(parameter.grad is None for parameter in built.module.parameters())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("LateError", f"KeyError: 'late' {place('KeyError')}"),
        (
            "LateStop",
            f"RuntimeError: StopIteration was raised in the forward pass or in the loss {place('raise StopIteration')}",
        ),
        ("LateExit", f"sys.exit(0) was called during the run {place('sys.exit(0)')}"),
        ("LateInterrupt", f"KeyboardInterrupt was raised during the run {place('raise KeyboardInterrupt')}"),
    ],
)
def test_a_late_mistake_is_a_line_too_and_its_traceback_is_kept(name: str, reason: str) -> None:
    with pytest.raises(TrainingFailed, match=r"the traceback is in the run's file error\.txt") as failed:
        training.run(load("digits", [f"model={{kind: 'mistakes:{name}'}}"]))
    assert str(failed.value).startswith(reason)
    (run,) = store.client().search_runs(["1"])
    assert run.info.status == "FAILED"
    kept = stored_runs.find(run.info.run_id).artifact("error.txt").read_text()
    assert kept.startswith("Traceback")


def test_a_metric_that_gives_several_numbers_late_is_named(tiny: str) -> None:
    with pytest.raises(TrainingFailed, match=r"the metric mine gave a tensor \(3,\); it must give one number"):
        training.run(load(tiny, ["metrics={mine: {kind: 'mistakes:LateVector'}}"]))


def test_code_that_leaves_the_folder_does_not_move_the_store(tiny: str, workplace: Path) -> None:
    result = training.run(load(tiny, ["model={kind: 'mistakes:Leaves'}"]))
    assert Path.cwd() == workplace
    assert result.run_id is not None
    assert str(workplace) in str(store.client().get_run(result.run_id).info.artifact_uri)


@pytest.mark.parametrize(
    "schedule",
    ["{kind: torch.optim.lr_scheduler.ReduceLROnPlateau}", "{kind: torch.optim.lr_scheduler.OneCycleLR, max_lr: 0.1}"],
)
def test_schedules_by_their_dotted_path_are_stepped_as_they_need(schedule: str) -> None:
    result = training.run(load("digits", [f"scheduler={schedule}", "trainer.max_epochs=2", "data.batch_size=256"]))
    assert result.epochs == 2


def test_a_learning_rate_that_diverges_is_a_result_and_no_mistake() -> None:
    built = build(load("digits", ["optimizer={kind: sgd, lr: 1e30}", "model.norm=none"]))
    assert whole_batch.rehearse(built).notes == []


SEES = """
import torch
from torch import nn

DEVICES = set()


class Sees(nn.Module):
    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.net = nn.Linear(in_features, out_features)

    def forward(self, x):
        if self.training and torch.is_grad_enabled():
            DEVICES.add((x.device.type, self.net.weight.device.type))
        return self.net(x.flatten(1))
"""


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed", "bf16-true"])
def test_it_runs_on_the_device_that_trains(
    workplace: Path, tiny: str, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    (workplace / "sees.py").write_text(SEES)
    monkeypatch.delitem(sys.modules, "sees", raising=False)
    built = build(load(tiny, ["model={kind: 'sees:Sees'}", f"trainer.precision={precision}"]))
    whole_batch.rehearse(built)
    assert {("cuda", "cuda")} == sys.modules["sees"].DEVICES
    assert {parameter.device.type for parameter in built.module.parameters()} == {"cpu"}
