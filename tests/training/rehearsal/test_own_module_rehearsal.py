"""The rehearsal of a LightningModule of one's own: what would fail, or would not be honoured, is said first."""

from pathlib import Path

import pytest
from own_modules import write_mistake, write_own_modules

from lab.config.experiment import load
from lab.errors import LabError
from lab.training import building
from lab.training.rehearsal import whole_batch

pytestmark = pytest.mark.usefixtures("workplace")


@pytest.fixture(autouse=True)
def own_modules(workplace: Path) -> None:
    write_own_modules(workplace)


def rehearse(name: str, *overrides: str) -> None:
    whole_batch.rehearse(building.build(load(name, overrides)))


STEP = "def training_step(self, batch, batch_idx)"
MISTAKES = {
    (STEP, "return self.nothing"): r"fails in its first epoch: AttributeError: .*'nothing' \(mistakes.py:\d+\)",
    (STEP, "return self(batch[0]).mean().detach()"): "fails in its first epoch: RuntimeError: .* does not require grad",
    (STEP, "return None"): "takes no optimizer step with a gradient, so nothing can be learned",
    (STEP, "return super().training_step(batch, 0) / 0"): "fails in its first epoch: .*the loss became inf",
    ("def configure_optimizers(self)", "return None"): "mistakes:Mistake.configure_optimizers returns no optimizer",
    ("def configure_optimizers(self)", "return []"): "mistakes:Mistake.configure_optimizers returns no optimizer",
    ("def configure_optimizers(self)", "raise SystemExit(3)"): r"SystemExit: 3 \(mistakes.py:\d+\)",
    (
        "def train_dataloader(self)",
        "return []",
    ): "train_dataloader would not be called, since the batches come from data:",
    ("def validation_step(self, batch, batch_idx)", "self.log('val_los', 0.0)"): (
        "checkpoints.monitor: mistakes:Mistake logs no 'val/loss'; did you mean val/los"
    ),
    ("def validation_step(self, batch, batch_idx)", "self.log('val_gap', 0.0)"): (
        "logs no 'val/loss'; known: val/gap; null keeps the last epoch"
    ),
    ("def on_save_checkpoint(self, checkpoint)", "checkpoint['x'] = nn.ReLU()"): (
        "the checkpoint of mistakes:Mistake holds more than tensors and plain values"
    ),
    ("def on_train_epoch_end(self)", "self.logger.experiment.add_image(1)"): (
        r"AttributeError: the lab's logger has log_metrics.* \(mistakes.py:\d+\)"
    ),
    ("def configure_callbacks(self)", "return L.pytorch.callbacks.ModelCheckpoint()"): (
        "configure_callbacks gives a ModelCheckpoint, but the lab keeps the checkpoints"
    ),
    ("@property\n    def directions(self)", "return {'loss': 'down'}"): 'directions must say "min" or "max"',
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake[1])
def test_a_mistake_is_one_line_before_anything_is_recorded(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, mistake: tuple[str, str]
) -> None:
    head, body = mistake
    write_mistake(workplace, monkeypatch, f"    {head}:\n        {body}\n")
    with pytest.raises(LabError, match=MISTAKES[mistake]) as raised:
        rehearse("mistake")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("missing", ["training_step", "configure_optimizers"])
def test_a_module_without_the_essential_hooks_is_refused(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    write_mistake(workplace, monkeypatch, f"    {missing} = L.LightningModule.{missing}\n")
    with pytest.raises(LabError, match=f"module: mistakes:Mistake has no {missing}"):
        rehearse("mistake")


def test_what_early_stopping_monitors_must_be_logged(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mistake(workplace, monkeypatch, "    pass", "early_stopping: {monitor: train/acc}\n")
    with pytest.raises(LabError, match=r"early_stopping.monitor: mistakes:Mistake logs no 'train/acc'; did you mean"):
        rehearse("mistake")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optimizer.lr=0.1"], "optimizer: would not be used, since module: has its own"),
        (["loss={kind: mse}"], "loss: would not be used"),
        (["model=null"], "model: is required: own:Standard takes a network as its argument `model`"),
        (["threads=auto"], "threads: auto cannot be tried for a module of your own; write a number"),
        (["module.lrr=0.1"], "module.lrr: no such setting; did you mean module.lr"),
        (["early_stopping={monitor: val/f1}"], "early_stopping.monitor: own:Standard logs no 'val/f1'"),
        (["checkpoints.monitor=val/f1"], "checkpoints.monitor: own:Standard logs no 'val/f1'"),
        (["module.kind=torch.nn:Linear"], "module.kind: torch.nn:Linear is not called"),
        (
            ["data={kind: sunspots}"],
            "module.kind: own:Standard requires `classes`, which sunspots does not have",
        ),
    ],
)
def test_a_setting_that_would_not_be_honoured_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(LabError, match=message):
        rehearse("standard", *overrides)


def test_a_network_that_the_module_does_not_take_is_refused() -> None:
    with pytest.raises(LabError, match=r"model: would not be used: .*:Autoencoder has no argument"):
        load("autoencoder", ["model={kind: mlp}"])


@pytest.mark.parametrize(("spare", "named"), [(3, ""), (5, " and 2 more")])
def test_parameters_that_do_not_change_are_a_note(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, spare: int, named: str
) -> None:
    body = f"""
    def __init__(self, model: nn.Module, classes: int):
        super().__init__(model, classes)
        self.idle = nn.ParameterList(torch.ones(1) for _ in range({spare}))

    def configure_optimizers(self):
        return adamw(self.model.parameters(), lr=self.lr)
"""
    write_mistake(workplace, monkeypatch, body)
    notes = whole_batch.rehearse(building.build(load("mistake"))).notes
    kind = "mistakes:Mistake"
    assert notes == [
        ("module", f"{kind}: idle.0, idle.1, idle.2{named} did not change in the first steps"),
        ("module", f"{kind} has no test_step, so nothing is tested"),
    ]


def test_it_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    rehearse("mixup")
    assert capfd.readouterr() == ("", "")
