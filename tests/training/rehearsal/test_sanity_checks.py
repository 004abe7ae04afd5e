"""What can be trained, but is most likely a mistake, is a note of the rehearsal."""

import sys
from pathlib import Path

import pytest

from lab.config.experiment import load
from lab.errors import LabError
from lab.training.building import build
from lab.training.rehearsal import whole_batch

OWN = '''
import numpy as np
import torch
from torch import nn
from torchmetrics import Metric

from lab.data.base import SampleDataModule, Samples


class Net(nn.Module):
    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.net = nn.Linear(in_features, out_features)

    def forward(self, x):
        return self.change(self.net(x.flatten(1)))

    def change(self, y):
        return y


class Softmax(Net):
    def change(self, y):
        return y.softmax(1)


class Sigmoid(Net):
    def change(self, y):
        return y.sigmoid()


class LogSoftmax(Net):
    def change(self, y):
        return y.log_softmax(1)


class InAList(Net):
    def __init__(self, in_features: int, out_features: int):
        super().__init__(in_features, out_features)
        self.hidden = [nn.Linear(in_features, in_features)]

    def forward(self, x):
        return super().forward(self.hidden[0](x.flatten(1)))


class Frozen(Net):
    def __init__(self, in_features: int, out_features: int):
        super().__init__(in_features, out_features)
        self.net.bias.requires_grad_(False)


class Small(Net):
    """Whose first logits happen to lie between 0 and 1, as those of a bag of words may."""

    def __init__(self, in_features: int, out_features: int):
        super().__init__(in_features, out_features)
        with torch.no_grad():
            self.net.weight.mul_(1e-3)
            self.net.bias.fill_(0.2)


class Idle(Net):
    def __init__(self, in_features: int, out_features: int):
        super().__init__(in_features, out_features)
        self.idle = nn.ModuleList(nn.Linear(3, 3) for _ in range(2))


class Mixes(Net):
    """Takes the mean of the batch, which is another for each batch."""

    def change(self, y):
        return y - y.mean(0)


class Counts(Metric):
    higher_is_better = True

    def __init__(self):
        super().__init__()
        self.seen = 0

    def update(self, preds, target):
        self.seen += len(preds)

    def compute(self):
        return torch.tensor(float(self.seen))


class Missing(Counts):
    def compute(self):
        return torch.tensor(float("nan"))


class Same(SampleDataModule):
    def read(self):
        return Samples(np.ones((99, 3), np.float32), np.arange(99) % 2, class_names=["a", "b"])


class Normed(Net):
    def __init__(self, in_features: int, out_features: int):
        super().__init__(in_features, out_features)
        self.net = nn.Sequential(nn.Linear(in_features, out_features), nn.BatchNorm1d(out_features))


class Broadcasts(nn.Module):
    """(N, 1) against (N,)"""

    def forward(self, y, t):
        return ((y - t.squeeze(1)) ** 2).mean()


class Negative(nn.Module):
    def forward(self, y, t):
        return -nn.functional.cross_entropy(y, t)


class Flat(nn.Module):
    def forward(self, y, t):
        return nn.functional.cross_entropy(y, t) * 0


class FirstOnly(torch.optim.SGD):
    def __init__(self, params, lr: float = 0.1):
        super().__init__(list(params)[:1], lr)


class Unstarted(torch.optim.Optimizer):
    def __init__(self, params, lr: float = 0.1):
        self.kept = list(params)

    def step(self, closure=None):
        pass


class Stays(torch.optim.SGD):
    def __init__(self, params, lr: float = 0.1):
        super().__init__(params, lr)

    def step(self, closure=None):
        pass


def warm_up(optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 5)


def no_schedule(optimizer) -> dict:
    return {"interval": "epoch"}


def constant(optimizer, **entries) -> dict:
    return {"scheduler": torch.optim.lr_scheduler.ConstantLR(optimizer), "interval": "epoch", **entries}
'''


@pytest.fixture(autouse=True)
def own(workplace: Path, tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "odd.py").write_text(OWN)
    monkeypatch.delitem(sys.modules, "odd", raising=False)  # of another test, from another folder


def notes(name: str, *overrides: str) -> list[tuple[str, str]]:
    return whole_batch.rehearse(build(load(name, overrides))).notes


def own_kind(section: str, name: str) -> str:
    return f"{section}={{kind: 'odd:{name}'}}"


# Override, and experiment where it is not tiny, to the subject of the note and a part of it.
NOTES = {
    "model=Softmax": ("model", "its outputs add up to 1; after softmax a perfect prediction still costs 1.46"),
    "model=Sigmoid": ("model", "after a sigmoid a perfect prediction still costs 1.46"),
    "breast_cancer model=Sigmoid": ("model", "costs 0.313 for the second class and 0.693 for the first"),
    "loss=torch.nn.NLLLoss": ("loss", "NLLLoss takes log-probabilities, which the outputs are not"),
    "model=InAList": ("model", "tensors (64, 64), (64,) are no parameters of the network"),
    "model=Frozen": ("model", "net.bias require no gradient: 10 parameters stay as they are"),
    "model=Mixes": ("model", "odd:Mixes: outputs of a sample depend on the other samples of its batch"),
    "metrics.mine=Counts": ("metrics", "mine is 128, and then 256 for the same batch: reset() does not clear"),
    "metrics.mine=Missing": ("metrics", "mine is NaN for the first batch"),
    "data=Same": ("data", "all 64 samples of the first batch are the same"),
    "model=Idle": ("model", "idle.0.weight, idle.0.bias, idle.1.weight and 1 more got no gradient"),
    "diabetes loss=Broadcasts": ("loss", "odd:Broadcasts does not change when the targets are shuffled"),
    "loss=Negative": ("loss", "odd:Negative is negative, -2."),
    "loss=Flat": ("loss", "the gradient of odd:Flat is 0 for every output of the first batch"),
    "optimizer=FirstOnly": ("optimizer", "does not update linears.0.bias, head.weight, head.bias"),
    "optimizer=Stays": ("optimizer", "no weight changed in the first steps: odd:Stays.step() has no effect"),
    "optimizer=torch.optim.SGD, lr: 0": ("optimizer", "no weight changed in the first steps: the learning rate is 0"),
    "optimizer=torch.optim.Adam, maximize: true": ("optimizer", "torch.optim.Adam maximizes the loss"),
}


@pytest.mark.parametrize("mistake", NOTES)
def test_a_likely_mistake_is_a_note(mistake: str) -> None:
    subject, sentence = NOTES[mistake]
    named, _, kind = mistake.partition("=")
    *experiment, section = named.split()
    kind = kind if "." in kind else f"'odd:{kind}'"
    found = notes(experiment[0] if experiment else "tiny", f"{section}={{kind: {kind}}}")
    assert any(about == subject and sentence in text for about, text in found), found


@pytest.mark.parametrize(
    ("experiment", "overrides"),
    [
        ("tiny", [own_kind("model", "LogSoftmax"), "loss={kind: torch.nn.NLLLoss}"]),
        ("breast_cancer", []),
        ("breast_cancer", [own_kind("model", "Small")]),
        ("tiny", [own_kind("model", "Small")]),
        ("tiny", [own_kind("scheduler", "warm_up")]),  # the rate of the first step is 0
        ("tiny", ["loss={kind: torch.nn.MultiMarginLoss}"]),
        ("diabetes", []),
        ("sunspots", []),
        ("transformer", []),
    ],
)
def test_what_is_right_has_no_note(experiment: str, overrides: list[str]) -> None:
    assert notes(experiment, *overrides) == []


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("scheduler={kind: 'odd:no_schedule'}", "but returns interval: epoch"),
        ("scheduler={kind: 'odd:constant', interval: batch}", "but returns scheduler: ConstantLR, interval: batch"),
        ("scheduler={kind: 'odd:constant', frequency: 2}", "interval: epoch, frequency: 2"),
        ("scheduler={kind: 'odd:constant', monitor: val/los}", "monitors 'val/los'; did you mean val/loss?"),
        ("scheduler={kind: 'odd:constant', monitor: val/loss, interval: step}", "its interval must be epoch"),
        ("scheduler={kind: torch.optim.lr_scheduler.ExponentialLR, gamma: -1}", "makes the learning rate -0.01"),
        ("optimizer={kind: torch.optim.SparseAdam}", "does not support dense gradients"),
    ],
)
def test_what_the_loop_would_ignore_or_fail_at_is_refused(override: str, message: str) -> None:
    with pytest.raises(LabError) as refused:
        notes("tiny", override)
    (line,) = refused.value.lines
    assert message in line


def test_an_optimizer_that_does_not_start_as_one_is_named() -> None:
    with pytest.raises(LabError, match="optimizer: odd:Unstarted has no param_groups; call super"):
        build(load("tiny", [own_kind("optimizer", "Unstarted")]))


def test_batch_norm_and_batches_of_one_sample_do_not_go_together() -> None:
    with pytest.raises(LabError, match=r"batch norm needs a data.batch_size of 2 or more"):
        notes("tiny", own_kind("model", "Normed"), "data.batch_size=1")


def test_cross_entropy_for_two_classes_is_refused() -> None:
    with pytest.raises(LabError, match="takes a logit per class, but two classes have a single one; use bce"):
        notes("breast_cancer", "loss={kind: torch.nn.CrossEntropyLoss}")
