"""Mixed training batches: the bits of a plain loop, soft targets, and what cannot be mixed."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from made_texts import reviews
from torch import Tensor, nn

from lab.config.experiment import from_sections, load
from lab.data.loaders import derived_seed
from lab.errors import LabError
from lab.modules.mixing import Mixing
from lab.training.building import Built, build
from lab.training.rehearsal import whole_batch
from lab.training.trainer import make_trainer

SETTINGS = ("trainer.max_epochs=2", "data.batch_size=256", "optimizer={kind: adamw, lr: 0.003, weight_decay: 0.05}")
PLAIN = (*SETTINGS, "scheduler.kind=constant")


def plain_mixup(built: Built, loss: Any, values: bool) -> list[Tensor]:
    """Mixup as in the paper's code, of the same batches."""
    network = copy.deepcopy(built.module.architecture).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.05, fused=True)
    dataset: Any = built.data.splits["train"]
    order = built.data.train_dataloader().sampler
    for epoch in range(2):
        order.set_epoch(epoch)
        for number, indices in enumerate(order.indices().split(256)):
            torch.manual_seed(derived_seed(0, epoch, 1) + number)
            x, y = dataset.x[indices], dataset.y[indices]
            share = float(torch.distributions.Beta(0.4, 0.4).sample())
            share = max(share, 1 - share)
            other = torch.randperm(len(x))
            mixed = network(share * x + (1 - share) * x[other])
            if values:
                total = loss(mixed, share * y + (1 - share) * y[other])
            else:
                total = share * loss(mixed, y) + (1 - share) * loss(mixed, y[other])
            total.backward()
            optimizer.step()
            optimizer.zero_grad()
    return list(network.state_dict().values())


@pytest.mark.usefixtures("empty_workplace")
@pytest.mark.parametrize(
    ("name", "loss", "values"),
    [
        ("digits", nn.functional.cross_entropy, False),
        (
            "breast_cancer",
            lambda x, y: nn.functional.binary_cross_entropy_with_logits(x, y.float().unsqueeze(1)),
            False,
        ),
        ("diabetes", nn.functional.mse_loss, True),
    ],
)
def test_training_has_the_bits_of_a_plain_loop(name: str, loss: Any, values: bool) -> None:
    settings = ("data.mix=mixup", "data.mix_alpha=0.4", "early_stopping=null", "trainer.gradient_clip_val=null")
    built = build(load(name, [*PLAIN, *settings]))
    expected = plain_mixup(built, loss, values)
    make_trainer(built).fit(built.module, built.data)
    found = list(built.module.architecture.state_dict().values())
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.usefixtures("empty_workplace")
@pytest.mark.parametrize("loss", ["{kind: cross_entropy}", "{kind: cross_entropy, label_smoothing: 0.1}"])
def test_the_loss_is_the_cross_entropy_with_soft_targets(loss: str) -> None:
    built = build(load("conv2d", [*PLAIN, "data.mix=cutmix", "model.dropout=0", f"loss={loss}"]))
    module, batch = built.task_module.eval(), next(iter(built.data.loader("train")))
    torch.manual_seed(1)
    assert module.mixing is not None
    mixed = module.mixing(batch)
    torch.manual_seed(1)
    _, found, trained = module.training_loss(batch)
    soft = mixed.share * nn.functional.one_hot(mixed.y, 10) + (1 - mixed.share) * nn.functional.one_hot(mixed.other, 10)
    torch.testing.assert_close(found, module.loss(module(mixed.x), soft), atol=1e-6, rtol=0)
    assert torch.equal(trained[1], batch[1]), "scored on the sample with the larger share"


@pytest.mark.parametrize("shape", [(2, 30), (3, 12, 10)])
def test_cutmix_takes_a_box_of_the_share_that_it_says(shape: tuple[int, ...]) -> None:
    x = torch.arange(8.0).reshape(8, *[1] * len(shape)).expand(8, *shape)
    torch.manual_seed(0)
    shares = []
    for _ in range(50):
        mixed = Mixing("cutmix", 1.0)((x, torch.arange(8)))
        own = (mixed.x == x) | (mixed.other == mixed.y).reshape(8, *[1] * len(shape))
        assert bool((own | (mixed.x == mixed.other.reshape(8, *[1] * len(shape)))).all())
        moved = mixed.other != mixed.y
        if moved.any():
            assert float(own[moved].float().mean()) == pytest.approx(mixed.share, abs=1e-6)
        shares.append(mixed.share)
    assert min(shares) >= 0.5
    assert max(shares) > 0.9


def test_mixup_draws_its_share_from_the_beta_distribution() -> None:
    torch.manual_seed(0)
    batch = torch.zeros(2, 3), torch.zeros(2)
    shares = torch.tensor([Mixing("mixup", 0.2)(batch).share for _ in range(4_000)]).double()
    # Of Beta(a, a), E[(s - 1/2)²] = 1 / (4 (2 a + 1)), whichever of s and 1 - s is taken.
    assert float((shares - 0.5).square().mean()) == pytest.approx(1 / (4 * 1.4), abs=0.004)


@pytest.mark.usefixtures("empty_workplace")
def test_validation_is_never_mixed_and_training_metrics_are_of_mixtures() -> None:
    built = build(
        load("digits", [*PLAIN, "data.mix=mixup", "optimizer.lr=1.0e-12", "model.norm=none", "model.dropout=0"])
    )
    plain = build(load("digits", [*PLAIN, "optimizer.lr=1.0e-12", "model.norm=none", "model.dropout=0"]))
    found = []
    for each in (built, plain):
        make_trainer(each).fit(each.module, each.data)
        found.append(each.observer.take_published())
    assert found[0]["val/loss"] == pytest.approx(found[1]["val/loss"], abs=1e-5)
    assert abs(found[0]["train/loss"] - found[1]["train/loss"]) > 1e-3


@pytest.mark.usefixtures("empty_workplace")
@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("diabetes", ("data.mix=cutmix",), "data.mix: cutmix is for classes; use mixup for regression"),
        ("breast_cancer", ("data.mix=cutmix",), "cutmix cuts sequences and images; use mixup for a table"),
        ("digits", ("data.mix=mixupp",), "data.mix: must be mixup or cutmix, .*not 'mixupp'"),
        ("digits", ("data.mix=mixup", "data.mix_alpha=0"), "data.mix_alpha: must be greater than 0, not 0"),
        ("mixup", ("data.mix=mixup",), "data.mix: a module of your own has to mix in its training step"),
    ],
)
def test_what_cannot_be_mixed_is_one_line(name: str, settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(LabError, match=message) as raised:
        whole_batch.rehearse(build(load(name, settings)))
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("empty_workplace")
def test_samples_of_which_there_is_no_mixture_are_refused_when_the_network_is_built() -> None:
    x, y = np.zeros((40, 1, 6)), np.arange(40) % 2
    np.savez("weighted.npz", x=x, y=y, weight=np.ones(40))
    np.savez("unequal.npz", x=x, y=y, lengths=np.arange(40) % 5 + 1)
    reviews(40).to_csv("reviews.csv", index=False)
    refused = {
        "has no weight": {"kind": "arrays", "path": "weighted.npz"},
        "of unequal lengths": {"kind": "arrays", "path": "unequal.npz"},
        "whole numbers, such as tokens": {"kind": "text", "path": "reviews.csv", "text": "review", "target": "label"},
    }
    for message, data in refused.items():
        content = {"data": {**data, "batch_size": 8, "mix": "mixup"}, "model": {"kind": "lstm", "hidden": 2}}
        with pytest.raises(LabError, match=f"^data.mix: .*{message}"):
            build(from_sections("mixed", "", content))  # without a rehearsal, as in a study
