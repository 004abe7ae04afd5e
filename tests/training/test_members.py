"""`trainer.members`: each member is the network of a run of its own, and all of them predict as one."""

from pathlib import Path
from typing import Any

import made_once
import numpy as np
import pytest
import torch
from resumed import assert_goes_on
from scipy.special import expit, softmax
from sklearn.metrics import log_loss, mean_squared_error

import lab
from lab.architectures.members import networks_of
from lab.config.experiment import load
from lab.errors import LabError
from lab.explanations.explain import explain
from lab.inference import export
from lab.training import reproduce
from lab.training.building import Built, build
from lab.training.members import notes, seeds_of
from lab.training.rehearsal import whole_batch
from lab.training.trainer import evaluate, fit, make_trainer, silence_libraries

THREE = "trainer.members=3"
SHORT = ("trainer.max_epochs=2", "early_stopping=null", "data.batch_size=64")
# What a batch is made of, and what is random in training.
CHANGED = (
    *("data.augment=[{kind: shift, most: 1}, {kind: mask}]", "data.mix=mixup", "model.norm=batch"),
    "loss={kind: cross_entropy, label_smoothing: 0.1, class_weights: balanced}",
)
# What happens to gradients and weights.
EMA = ("trainer.average=ema",)
STEPPED = (
    *("optimizer={kind: sgd, lr: 0.05, momentum: 0.9, weight_decay: 0.1, groups: {'head.*': {lr: 0.01}}}",),
    *("trainer.gradient_clip_val=0.5", "trainer.accumulate_grad_batches=2", *EMA),
    "freeze=[linears.0.bias]",
)
RARE = ("trainer.gradient_clip_val=0.1", "trainer.gradient_clip_algorithm=value", "scheduler.kind=cosine")


def trained(name: str, *settings: str) -> Built:
    silence_libraries()
    built = build(load(name, (*SHORT, *settings)))
    fit(make_trainer(built), built)
    return built


def weights_of(built: Built, member: int = 0) -> dict[str, torch.Tensor]:
    """Those that are evaluated."""
    network = networks_of(built.task_module.architecture)[member]
    average = built.task_module.average
    if average is None or average.model is None:
        return network.state_dict()
    return networks_of(average.model.module)[member].state_dict()


@pytest.mark.usefixtures("empty_workplace")
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("digits", CHANGED),
        ("digits", STEPPED),
        ("diabetes", (*RARE, "loss={kind: quantile}")),
        ("breast_cancer", ("trainer.gradient_clip_val=0.01", "loss={kind: bce, class_weights: balanced}")),
        ("ordinal", ()),
        ("labels", ()),
        ("outlines", ("trainer.limit_train_batches=4",)),
        ("text", ("trainer.limit_train_batches=6",)),
        ("schools", ()),
    ],
)
def test_each_member_is_the_network_of_a_run_with_its_seed(name: str, settings: tuple[str, ...]) -> None:
    settings = (*settings, "model.dropout=0")
    together = trained(name, *settings, THREE)
    seeds = seeds_of(together.experiment)
    assert len(set(seeds)) == 3
    assert seeds[0] == together.experiment.seed_of("init")
    for member, seed in enumerate(seeds):
        alone = weights_of(trained(name, *settings, f"seeds.init={seed}"))
        found = weights_of(together, member)
        assert found.keys() == alone.keys()
        for weight, value in alone.items():
            assert torch.equal(found[weight], value), weight


@pytest.mark.usefixtures("empty_workplace")
def test_with_dropout_the_first_is_that_network_and_the_others_have_masks_of_their_own() -> None:
    together = trained("digits", "model.dropout=0.5", THREE)
    first, second = seeds_of(together.experiment)[:2]
    same = [
        torch.equal(weights_of(together, member)["head.weight"], weights_of(alone)["head.weight"])
        for member, seed in enumerate((first, second))
        for alone in [trained("digits", "model.dropout=0.5", f"seeds.init={seed}")]
    ]
    assert same == [True, False]


def samples_of_test(built: Built) -> tuple[torch.Tensor, Any]:
    dataset: Any = built.data.splits["test"]
    return dataset.x, dataset.y.numpy()


@torch.no_grad()
def outputs_of_each(built: Built, x: torch.Tensor) -> list[Any]:
    return [network.eval()(x).double().numpy() for network in networks_of(built.task_module.architecture)]


@pytest.mark.usefixtures("empty_workplace")
class TestTheMeanIsWhatIsEvaluated:
    @pytest.mark.parametrize(("name", "classes"), [("digits", 10), ("breast_cancer", 2)])
    def test_of_probabilities(self, name: str, classes: int) -> None:
        built = trained(name, THREE)
        x, y = samples_of_test(built)
        tested = evaluate(make_trainer(built), built)
        if classes == 2:
            second = np.mean([expit(each[:, 0]) for each in outputs_of_each(built, x)], axis=0)
            expected = np.stack([1 - second, second], axis=1)
        else:
            expected = np.mean([softmax(each, axis=1) for each in outputs_of_each(built, x)], axis=0)
        assert tested["test/loss"] == pytest.approx(log_loss(y, expected), rel=1e-5)
        assert tested["test/accuracy"] == pytest.approx((expected.argmax(1) == y).mean())
        predictor = built.predictor()
        found = predictor(built.data.input_scale.invert(x)).detach().numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_of_values(self) -> None:
        built = trained("diabetes", THREE)
        x, y = samples_of_test(built)
        expected = np.mean(outputs_of_each(built, x), axis=0)
        assert evaluate(make_trainer(built), built)["test/loss"] == pytest.approx(mean_squared_error(y, expected))


@pytest.mark.usefixtures("empty_workplace")
def test_the_training_loss_is_the_mean_of_theirs_and_their_gradients_are_measured_by_themselves() -> None:
    """In the first step; the accuracy of the training is that of the mean already."""
    one_step = ("data.batch_size=1024", "trainer.max_epochs=1", "model.dropout=0")  # all but 53 samples in one batch
    together = trained("digits", *one_step, THREE)
    alone = [trained("digits", *one_step, f"seeds.init={seed}") for seed in seeds_of(together.experiment)]
    first = [built.task_module.losses[0] for built in alone]
    assert together.task_module.losses[0] == pytest.approx(np.mean(first))
    taken = [built.task_module.take_measured()["gradient_norm"] for built in alone]
    assert together.task_module.take_measured()["gradient_norm"] == pytest.approx(np.mean(taken))


def test_a_run_that_was_broken_off_goes_on_with_the_same_bits(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.modules.training_step.MAX_BATCHES", 2)
    settings = ("data.batch_size=256", "trainer.max_epochs=4", "model.hidden=16", "checkpoints.every_seconds=0")
    assert_goes_on(workplace, "digits", (*settings, *EMA, THREE), (5, 4))


OWN = """
import torch
from torch import nn

class Scaled(nn.CrossEntropyLoss):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, outputs, target):
        return super().forward(self.scale * outputs, target)

class Zero(nn.Linear):
    def __init__(self, in_features: int, out_features: int):
        super().__init__(in_features, out_features)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x):
        return super().forward(x.flatten(1))
"""


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("digits", ("trainer.members=0",), "trainer.members: must be .*1.*not 0"),
        ("mixup", (THREE,), "trainer.members: is not for a module of your own"),
        ("digits", (THREE, "loss={kind: 'parts:Scaled'}"), "trainer.members: Scaled has parameters, which 3 members"),
        ("digits", (THREE, "model={kind: 'parts:Zero'}"), "trainer.members: 3 members would all learn the same: parts"),
        ("digits", (THREE, "start_from=alone.pt"), "start_from: alone.pt: is one network, from which all members"),
    ],
)
def test_what_cannot_be_an_ensemble_is_one_line(
    empty_workplace: Path, name: str, settings: tuple[str, ...], message: str
) -> None:
    Path("parts.py").write_text(OWN)
    torch.save(build(load("digits")).task_module.architecture.state_dict(), "alone.pt")
    with pytest.raises(LabError, match=message) as raised:
        whole_batch.rehearse(build(load(name, settings)))
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("empty_workplace")
def test_members_start_from_the_weights_of_members() -> None:
    before = trained("digits", THREE)
    torch.save(before.task_module.architecture.state_dict(), "together.pt")
    after = build(load("digits", [THREE, "start_from=together.pt"])).task_module.architecture
    for one, other in zip(after.parameters(), before.task_module.architecture.parameters(), strict=True):
        assert torch.equal(one, other)


class TestARun:
    """Of four members, from the command to what is made of it."""

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory, prepared_store: Path) -> Path:
        text = """
data: {kind: digits, batch_size: 128}
model: {kind: mlp, hidden: 16, layers: 1, dropout: 0.2}
optimizer: {kind: adamw, lr: 0.01}
trainer: {max_epochs: 2, members: 3}
"""
        return made_once.with_store(
            tmp_path_factory, "members", prepared_store, lambda: made_once.train({"several": text})
        )

    @pytest.fixture(autouse=True)
    def in_folder(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def test_its_model_predicts_the_mean_and_is_exported(self, tmp_path: Path) -> None:
        model = lab.load("several")
        built = build(load("several"))
        built.module.load_state_dict(torch.load(model.run.artifact("checkpoints/best.ckpt"))["state_dict"])
        x, y = samples_of_test(built)
        expected = np.mean([softmax(each, axis=1) for each in outputs_of_each(built, x)], axis=0)
        predicted = model.predict(built.data.input_scale.invert(x).numpy())
        np.testing.assert_allclose(predicted.to_numpy()[:, -10:].astype(float), expected, atol=1e-5)
        assert model.run.metrics["test/loss"] == pytest.approx(log_loss(y, expected), rel=1e-5)
        for format in export.FORMATS:
            _, difference = export.export(model, format, tmp_path / f"model{export.ENDINGS[format]}")
            assert difference < 1e-5

    def test_it_is_reproduced_and_explained(self) -> None:
        run = lab.load("several").run
        assert reproduce.reproduce(run.id, (), print).verdict == "BIT-EXACT"
        explained = explain(run.id)
        assert explained.score == pytest.approx(run.metrics["at_best/val/accuracy"])

    def test_it_says_where_each_member_is_a_run_of_its_own(self) -> None:
        assert notes(load("several")) == [
            ("members", "3 networks, averaged; each starts as with seeds.init = 0, 3964924996, 3141116543")
        ]
        assert load("several").network == "3 × mlp"
