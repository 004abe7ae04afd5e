"""What cannot be trained on several devices is one line, before anything is recorded or started."""

import re
from pathlib import Path

import pytest

from lab.cli import main
from lab.config.experiment import load
from lab.errors import LabError
from lab.training.building import build
from lab.training.rehearsal import whole_batch

TWO = ("trainer.accelerator=cpu", "trainer.devices=2")
OWN = '''
import torch
from torch import Tensor, nn
from torchmetrics import Metric

class Unused(nn.Module):
    """One of its layers is never called."""

    def __init__(self, out_features: int):
        super().__init__()
        self.used, self.unused = nn.Linear(64, out_features), nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.used(x.flatten(1))

class Loose(Metric):
    """Does not say how the states of two devices become one."""

    higher_is_better = True

    def __init__(self) -> None:
        super().__init__()
        self.add_state("seen", torch.tensor(0.0))

    def update(self, preds: Tensor, target: Tensor) -> None:
        self.seen += len(target)

    def compute(self) -> Tensor:
        return self.seen

class Dice(nn.Module):
    """A quotient of sums over the batch: no mean over samples."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        found, there = logits.softmax(1), nn.functional.one_hot(target, 10)
        return 1 - (2 * (found * there).sum(0) / (found + there).sum(0)).mean()
'''


def refusal(*overrides: str) -> str:
    with pytest.raises(LabError) as refused:
        whole_batch.rehearse(build(load("tiny", [*TWO, *overrides])))
    assert len(refused.value.lines) == 1
    return str(refused.value)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["freeze=[linears.*]", "unfreeze_at=2"],
            "unfreeze_at: ddp decides at the start what is trained; use trainer.devices=1, or leave it out",
        ),
        (
            ["data.batch_size=3"],
            "data.batch_size: a batch has 3 samples, less than 2 for each of 2 devices; use another",
        ),
        (
            ["data.batch_size=323"],
            "data.batch_size: the last batch of an epoch has 3 samples, less than 2 for each of 2 devices; use another",
        ),
        (["data={kind: diabetes, val_fraction: 0.003}"], "trainer.devices: 2 are more than the 1 validation samples"),
    ],
)
def test_what_several_devices_cannot_share_is_refused(overrides: list[str], line: str) -> None:
    assert refusal(*overrides) == line


def test_parts_of_ones_own_that_several_devices_cannot_share_are_refused(tiny: str, workplace: Path) -> None:
    (workplace / "two_devices.py").write_text(OWN)
    assert "metrics.loose: what it collects as `seen` cannot be put together from several devices" in refusal(
        "metrics={loose: {kind: two_devices:Loose}}"
    )
    assert "trainer.devices: unused.weight gets no gradient" in refusal("model={kind: two_devices:Unused}")


@pytest.mark.parametrize(
    "loss",
    [
        "{kind: 'torch.nn:CrossEntropyLoss', reduction: sum}",
        "{kind: 'torch.nn:CrossEntropyLoss', ignore_index: 3}",
        "{kind: cross_entropy, class_weights: balanced}",
    ],
)
def test_a_loss_that_is_no_mean_over_samples_is_refused(tiny: str, workplace: Path, loss: str) -> None:
    (workplace / "two_devices.py").write_text(OWN)
    line = refusal("loss={kind: two_devices:Dice}")
    assert re.match(r"loss: Dice is 0\.\d+ for a batch, but 0\.\d+ as the mean over its parts on 2 devices; use", line)
    whole_batch.rehearse(build(load(tiny, [*TWO, "data.batch_size=101", f"loss={loss}"])))


OWN_MODULE = """
import lightning as L
import torch

class Own(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(64, 10)

    def training_step(self, batch, batch_idx):
        return torch.nn.functional.cross_entropy(self.layer(batch[0].flatten(1)), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)
"""


def test_a_module_of_ones_own_is_refused(workplace: Path) -> None:
    (workplace / "own_steps.py").write_text(OWN_MODULE)
    (workplace / "experiments" / "own.yaml").write_text(
        "# Own steps?\ndata: {kind: digits}\nmodule: {kind: own_steps:Own}\ntrainer: {max_epochs: 1}\n"
    )
    with pytest.raises(LabError, match=r"trainer\.devices: a module of your own trains on one device") as refused:
        whole_batch.rehearse(build(load("own", TWO)))
    assert len(refused.value.lines) == 1


@pytest.mark.parametrize(
    "command",
    [
        ["study", "tiny", "--trials", "2"],
        ["run", "tiny", "--folds", "2", *TWO],
        ["compare", "devices"],
    ],
)
def test_many_trainings_are_refused(
    tiny: str, workplace: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = workplace / "experiments" / "tiny.yaml"
    if command[0] == "study":
        experiment.write_text(experiment.read_text() + "search: {trainer.devices: {choices: [1, 2]}}\n")
    (workplace / "experiments" / "comparisons" / "devices.yaml").write_text(
        "# Do two devices help?\nbase: tiny\narms:\n  one: {}\n  two: {trainer.devices: 2, trainer.accelerator: cpu}\n"
    )
    with pytest.raises(SystemExit) as ended:
        main.main(command)
    assert ended.value.code == 2
    assert "trainer.devices: must be 1 here, not" in capsys.readouterr().err
