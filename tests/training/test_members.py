"""`trainer.members`: each member is the network of a run of its own, and all of them predict as one."""


import pytest
import torch

from lab.architectures.members import networks_of
from lab.config.experiment import load
from lab.training.building import Built, build
from lab.training.members import seeds_of
from lab.training.trainer import fit, make_trainer, silence_libraries

THREE = "trainer.members=3"
SHORT = ("trainer.max_epochs=2", "early_stopping=null", "data.batch_size=64")
# What a batch is made of, and what is random in training.
CHANGED = (
    *("data.augment=[{kind: shift, most: 1}, {kind: mask}]", "data.mix=mixup", "model.norm=batch"),
    "loss={kind: cross_entropy, label_smoothing: 0.1, class_weights: balanced}",
)
# What happens to gradients and weights.
STEPPED = (
    *("optimizer={kind: sgd, lr: 0.05, momentum: 0.9, weight_decay: 0.1, groups: {'head.*': {lr: 0.01}}}",),
    *("trainer.gradient_clip_val=0.5", "trainer.accumulate_grad_batches=2", "trainer.average=ema"),
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
