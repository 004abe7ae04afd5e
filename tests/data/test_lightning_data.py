"""A LightningDataModule of one's own, under a module of one's own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from resumed import assert_goes_on

import lab
from lab.config.experiment import load
from lab.errors import LabError
from lab.parallel.jobs import resolution_of
from lab.training import building
from lab.training import run as training
from lab.training.reproduce import reproduce
from lab.training.trainer import fit, make_trainer

pytestmark = pytest.mark.usefixtures("workplace")

PLAIN_DATA = """
import lightning as L
import torch
from torch.utils.data import DataLoader, TensorDataset


class Blobs(L.LightningDataModule):
    def __init__(self, distance: float = 3.0, batch_size: int = 16):
        super().__init__()
        self.distance, self.batch_size = distance, batch_size

    def setup(self, stage):
        generator = torch.Generator().manual_seed(0)
        y = torch.arange(100) % 2
        x = torch.randn(100, 4, generator=generator) + self.distance * y[:, None]
        self.parts = TensorDataset(x[:80], y[:80]), TensorDataset(x[80:90], y[80:90])

    def train_dataloader(self):
        return DataLoader(self.parts[0], self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.parts[1], self.batch_size)

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch[0] / 2, batch[1]


class Sorts(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.layer(x)

    def training_step(self, batch, batch_idx):
        return torch.nn.functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", torch.nn.functional.cross_entropy(self(batch[0]), batch[1]))
        self.log("largest", batch[0].max())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)
"""


class TestALightningDataModule:
    @pytest.fixture(autouse=True)
    def blobs(self, workplace: Path) -> None:
        (workplace / "plain.py").write_text(PLAIN_DATA)
        (workplace / "experiments" / "blobs.yaml").write_text(
            "data: {kind: 'plain:Blobs'}\nmodule: {kind: 'plain:Sorts'}\ntrainer: {max_epochs: 3}\n"
        )

    def test_a_run_uses_its_loaders_and_hooks(self) -> None:
        result = training.run(load("blobs"))
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(100, 4, generator=generator) + 3.0 * (torch.arange(100) % 2)[:, None]
        assert result.metrics["val/largest"] == pytest.approx(float(x[80:90].max()) / 2)
        assert ("module", "plain:Sorts has no test_step, so nothing is tested") in result.notes
        assert len(lab.load("latest:blobs").predict(np.zeros((2, 4)))) == 2

    def test_a_run_is_reproduced_and_goes_on_at_the_beginning_of_an_epoch(self, workplace: Path) -> None:
        training.run(load("blobs"))
        assert reproduce("latest:blobs", [], lambda line: None).verdict == "BIT-EXACT"
        assert_goes_on(workplace, "blobs", ("checkpoints.every_seconds=0",), (7, 3))

    def test_only_a_module_of_ones_own_is_trained_on_it(self) -> None:
        with pytest.raises(LabError, match="which only a module of your own can be trained on"):
            building.build(load("digits", ["data={kind: 'plain:Blobs'}"]))

    def test_the_order_has_its_own_seed(self) -> None:
        def batches(*overrides: str) -> list[float]:
            built = building.build(load("blobs", ["trainer.max_epochs=1", *overrides]))
            made_trainer = make_trainer(built)
            fit(made_trainer, built)
            return list(built.observer.losses)

        assert batches("seeds.order=1") != batches("seeds.order=2")
        assert batches("seeds.order=1") == batches("seeds.order=1", "seeds.dropout=5")

    def test_an_accuracy_on_no_samples_has_no_resolution(self) -> None:
        assert resolution_of("accuracy", load("blobs"), "val") == 1 / 10
        assert resolution_of("accuracy", load("blobs"), "test") == 0
