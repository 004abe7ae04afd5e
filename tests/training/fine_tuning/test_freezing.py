"""Frozen parts and groups of parameters: the same weights, bit for bit, as a loop written by hand."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from own_modules import write_own_modules
from resumed import assert_goes_on, fit
from torch import Tensor, nn

from lab.config.experiment import load
from lab.data.loaders import derived_seed
from lab.errors import LabError
from lab.modules import training_step
from lab.training.building import Built, build
from lab.training.fine_tuning.freezing import freezing_of
from lab.training.rehearsal import check
from lab.training.trainer import make_trainer

# 1,295 samples: 6 batches an epoch, in 3 steps. Batch norm and dropout in the frozen part.
SHORT = (
    "data.batch_size=256",
    "model.channels=8",
    "trainer.max_epochs=3",
    "trainer.accumulate_grad_batches=2",
    "trainer.gradient_clip_val=0.1",
    "checkpoints.every_seconds=0",
)
GROUPS = 'optimizer.groups={"head.*": {lr: 0.02}, "features.0.*": {lr: 0.001, weight_decay: 0.0}}'
FROZEN = ('freeze=["features.*"]', "unfreeze_at=2", GROUPS)


def trained(built: Built) -> list[Tensor]:
    make_trainer(built).fit(built.module, built.data)
    return [value.detach().clone() for value in built.module.architecture.state_dict().values()]


def plain_loop(built: Built, frozen: str, unfreeze_at: int) -> list[Tensor]:
    """Train a copy of the network of conv2d on the same batches; a module whose name starts with `frozen` is frozen."""
    network = copy.deepcopy(built.module.architecture)
    named = dict(network.named_parameters())
    of_head = [p for name, p in named.items() if name.startswith("head.")]
    of_first = [p for name, p in named.items() if name.startswith("features.0.")]
    rest = [p for name, p in named.items() if not name.startswith(("head.", "features.0."))]
    groups: list[dict[str, Any]] = [
        {"params": rest},
        {"params": of_head, "lr": 0.02},
        {"params": of_first, "lr": 0.001, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.01, weight_decay=0.05, fused=True)
    dataset: Any = built.data.splits["train"]
    order = built.data.train_dataloader().sampler
    batches_of = [order.set_epoch(epoch) or order.indices().split(256) for epoch in range(3)]
    steps = sum(-(-len(batches) // 2) for batches in batches_of)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [0.01, 0.02, 0.001], total_steps=steps, cycle_momentum=False
    )
    for epoch, batches in enumerate(batches_of):
        network.train()
        for name, parameter in named.items():
            parameter.requires_grad_(epoch + 1 >= unfreeze_at or not name.startswith(frozen))
        for name, layer in network.named_modules():
            if name.startswith(frozen) and isinstance(layer, nn.BatchNorm2d):
                layer.train(epoch + 1 >= unfreeze_at)
        for number, indices in enumerate(batches):
            torch.manual_seed(derived_seed(0, epoch, 1) + number)
            loss = nn.functional.cross_entropy(network(dataset.x[indices]), dataset.y[indices])
            (loss / 2).backward()
            if (number + 1) % 2 == 0 or number + 1 == len(batches):
                nn.utils.clip_grad_norm_([p for p in network.parameters() if p.grad is not None], 0.1)
                optimizer.step()
                optimizer.zero_grad()
                schedule.step()
    return [value.detach().clone() for value in network.state_dict().values()]


def refusal(*overrides: str, name: str = "conv2d") -> str:
    with pytest.raises(LabError) as refused:
        build(load(name, overrides))
    (line,) = refused.value.lines
    return line


@pytest.mark.usefixtures("empty_workplace")
class TestEqualsAPlainLoop:
    @pytest.mark.parametrize(
        ("settings", "unfreeze_at"),
        [(FROZEN, 2), (('freeze=["features.*"]', GROUPS), 99)],
        ids=["unfrozen in the middle", "frozen to the end"],
    )
    def test_bit_for_bit_with_groups_accumulated_and_clipped(self, settings: tuple[str, ...], unfreeze_at: int) -> None:
        built = build(load("conv2d", [*SHORT, *settings]))
        expected = plain_loop(built, "features.", unfreeze_at)
        assert all(torch.equal(one, other) for one, other in zip(trained(built), expected, strict=True))

    def test_what_is_frozen_stays_with_the_statistics_of_its_norms(self) -> None:
        built = build(load("conv2d", [*SHORT, 'freeze=["features.*"]']))
        before = {name: value.clone() for name, value in built.module.architecture.state_dict().items()}
        trained(built)
        after = built.module.architecture.state_dict()
        changed = [name for name, value in before.items() if not torch.equal(value, after[name])]
        assert changed == ["head.weight", "head.bias"]


class TestResuming:
    @pytest.mark.parametrize("stop", [3, 6, 9], ids=["frozen", "at the unfreezing", "unfrozen"])
    def test_a_run_goes_on_to_the_last_bit(
        self, empty_workplace: Path, stop: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(training_step, "MAX_BATCHES", 1)  # a training can be broken off between any two
        assert_goes_on(empty_workplace, "conv2d", (*SHORT, *FROZEN), (stop,))

    def test_a_module_of_ones_own_too(self, empty_workplace: Path) -> None:
        write_own_modules(empty_workplace)
        short = ("data.batch_size=256", "trainer.max_epochs=3", "checkpoints.every_seconds=0")
        first = next(name for name, _ in build(load("standard")).module.named_parameters())
        settings = (*short, f'freeze=["{first}"]', "unfreeze_at=3")
        assert_goes_on(empty_workplace, "standard", settings, (3, 12))
        frozen = fit(empty_workplace / "frozen", "standard", *short[:1], "trainer.max_epochs=2", settings[-2])
        assert torch.equal(frozen.weights[first], build(load("standard")).module.state_dict()[first])


@pytest.mark.usefixtures("empty_workplace")
class TestCheck:
    def test_says_what_is_trained_and_what_is_not(self) -> None:
        found = check.check(load("conv2d", [*SHORT, *FROZEN]))
        head = 8 * 10 + 10
        assert (found.trainable, found.layers["features.0"]) == (head, None)
        assert found.notes == [
            (
                "freeze",
                f"16 tensors, {found.parameters - head:,} parameters, are not trained before epoch 2; the "
                "statistics of 4 frozen norms stay",
            )
        ]

    def test_a_part_of_a_norm_leaves_its_statistics_alone(self) -> None:
        built = build(load("conv2d", ['freeze=["*.weight"]']))
        assert built.fine_tuning.freezing is not None
        assert not built.fine_tuning.freezing.frozen.norms

    @pytest.mark.parametrize(
        ("settings", "line"),
        [
            (('freeze=["layers.*"]',), "freeze: 'layers.*' matches no parameter; there are features.0.weight, "),
            (('freeze=["*"]',), "freeze: every parameter is frozen, so nothing can be learned; leave the last layer"),
            (("unfreeze_at=2",), "unfreeze_at: nothing is frozen; add freeze: [patterns of parameters]"),
            (
                ('freeze=["features.*"]', "unfreeze_at=31"),
                "unfreeze_at: must be an epoch from 2 to 30, the last one, not 31",
            ),
            (('freeze=["features.*"]', "unfreeze_at=1"), "unfreeze_at: must be an epoch from 2 to 30"),
            (
                ('freeze=["features.*"]', "unfreeze_at=2", "trainer.max_epochs=1"),
                "unfreeze_at: a training of one epoch has no later one; leave it out, or set trainer.max_epochs",
            ),
        ],
    )
    def test_what_would_have_no_effect_is_refused(self, settings: tuple[str, ...], line: str) -> None:
        assert refusal(*settings).startswith(line)

    def test_an_optimizer_without_the_frozen_part_is_refused_before_the_run(self, empty_workplace: Path) -> None:
        write_own_modules(empty_workplace)
        code = Path("own_modules_here.py")
        code.write_text(
            "import torch\nfrom torch import nn\nimport lightning as L\n"
            "class Left(L.LightningModule):\n"
            "    def __init__(self, in_features: int, classes: int):\n"
            "        super().__init__()\n"
            "        self.body, self.head = nn.Linear(in_features, 8), nn.Linear(8, classes)\n"
            "    def training_step(self, batch, batch_idx):\n"
            "        loss = nn.functional.cross_entropy(self.head(self.body(batch[0].flatten(1))), batch[1])\n"
            "        self.log('val_loss', loss)\n"
            "        return loss\n"
            "    def configure_optimizers(self):\n"
            "        return torch.optim.SGD([p for p in self.parameters() if p.requires_grad], lr=0.1)\n"
        )
        Path("experiments/left.yaml").write_text(
            "data: {kind: digits}\nmodule: {kind: own_modules_here:Left}\nfreeze: ['body.*']\nunfreeze_at: 2\n"
            "trainer: {max_epochs: 3}\ncheckpoints: {monitor: null}\n"
        )
        with pytest.raises(LabError, match=r"unfreeze_at: body.weight, body.bias would never be trained"):
            check.check(load("left"))


class TestApplied:
    """To a network, without a run."""

    def network(self) -> nn.Sequential:
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))

    def test_up_to_its_epoch_parameters_have_no_gradient_and_norms_keep_their_statistics(self) -> None:
        network = self.network().train()
        freezing = freezing_of(["0.*", "1.*"], 2, 3, network)
        assert freezing is not None
        for epoch, trained in ((0, False), (1, True), (2, True)):
            freezing.apply(network, epoch)
            assert [each.requires_grad for each in network.parameters()] == [*[trained] * 4, True, True]
            assert [layer.training for layer in network] == [True, trained, True]
        assert freezing.note(network) == (
            "4 tensors, 24 parameters, are not trained before epoch 2; the statistics of 1 frozen norm stay"
        )

    def test_what_was_frozen_before_stays_so_and_is_not_counted(self) -> None:
        network = self.network()
        network[0].bias.requires_grad_(False)
        freezing = freezing_of(["0.*"], 2, 2, network)
        assert freezing is not None
        assert freezing.note(network) == "1 tensor, 12 parameters, are not trained before epoch 2"
        freezing.apply(network, 1)
        assert not network[0].bias.requires_grad

    @pytest.mark.parametrize("unfreeze_at", [1, 4])
    def test_the_epoch_is_one_after_the_first_and_of_the_run(self, unfreeze_at: int) -> None:
        with pytest.raises(LabError, match=f"must be an epoch from 2 to 3, the last one, not {unfreeze_at}"):
            freezing_of(["0.*"], unfreeze_at, 3, self.network())
        assert freezing_of(["0.*"], 3, 3, self.network()) is not None

    def test_for_the_whole_run_nothing_is_unfrozen(self) -> None:
        network = self.network()
        freezing = freezing_of(["2.weight"], None, 1, network)
        assert freezing is not None
        freezing.apply(network, 99)
        assert not network[2].weight.requires_grad
        assert freezing.note(network) == "1 tensor, 8 parameters, are not trained"
        assert freezing_of(None, None, 1, network) is None
