"""Code of somebody who makes one mistake in each class, for tests of the rehearsal."""

import dataclasses
import os
import sys

import numpy as np
import torch
from torch import nn
from torchmetrics import Metric

from lab.data.base import SampleDataModule, Samples


class Net(nn.Module):
    """A linear network; subclasses make one mistake each."""

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.net = nn.Linear(in_features, out_features)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.change(self.net(x.flatten(1)))

    def change(self, y):
        return y


class Locked(Net):
    def __init__(self, in_features: int, out_features: int):
        super().__init__(in_features, out_features)
        self.lock = __import__("threading").Lock()


class Integers(Net):
    def change(self, y):
        return y.long()


class Infinite(Net):
    def change(self, y):
        return y / 0


class Detached(Net):
    def change(self, y):
        return y.detach()


class Frozen(Net):
    def __init__(self, in_features: int, out_features: int):
        super().__init__(in_features, out_features)
        self.requires_grad_(False)


class Softmax(Net):
    def change(self, y):
        return y.softmax(1)


class Idle(Net):
    def __init__(self, in_features: int, out_features: int):
        super().__init__(in_features, out_features)
        self.idle = nn.Linear(3, 3)


class FullBatches(Net):
    def change(self, y):
        if len(y) == 15:
            raise ValueError("needs batches of 64")
        return y


class ExtraState(Net):
    def get_extra_state(self):
        return {"function": print}

    def set_extra_state(self, state):
        pass


class Exits(Net):
    def __init__(self, in_features: int, out_features: int):
        sys.exit(3)


class LateError(Net):
    def change(self, y):
        if self.calls > 30:
            raise KeyError("late")
        return y


class LateExit(Net):
    def change(self, y):
        if self.calls > 30:
            sys.exit(0)
        return y


class LateInterrupt(Net):
    def change(self, y):
        if self.calls > 30:
            raise KeyboardInterrupt
        return y


class Leaves(Net):
    def change(self, y):
        os.chdir("/")
        return y


class LateVector(Metric):
    higher_is_better = True
    calls = 0

    def update(self, preds, target):
        pass

    def compute(self):
        LateVector.calls += 1
        return torch.zeros(3) if LateVector.calls > 3 else torch.zeros(())


class LateStop(Net):
    def change(self, y):
        if self.calls > 30:
            raise StopIteration
        return y


class VectorLoss(nn.Module):
    def forward(self, y, t):
        return nn.functional.cross_entropy(y, t, reduction="none")


class NumberLoss(nn.Module):
    def forward(self, y, t):
        return 3.0


class ConstantLoss(nn.Module):
    def forward(self, y, t):
        return torch.tensor(1.0)


class NaNLoss(nn.Module):
    def forward(self, y, t):
        return nn.functional.cross_entropy(y, t) * float("nan")


class Exploding(torch.optim.SGD):
    def __init__(self, params, lr: float = 0.1):
        super().__init__(params, lr)

    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data.fill_(float("nan"))


class Stateful(torch.optim.SGD):
    def __init__(self, params, lr: float = 0.1):
        super().__init__(params, lr)
        self.state["x"] = lambda: 1


class Schedule(torch.optim.lr_scheduler.LRScheduler):
    def get_lr(self):
        if self.last_epoch > 0:
            raise RuntimeError("no rate")
        return [0.1]


class Data(SampleDataModule):
    def read(self):
        return Samples(np.random.default_rng(0).random((99, 3), np.float32), np.arange(99) % 2, class_names=["a", "b"])


class Unprepared(Data):
    def __init__(self):
        pass


class ShortEncoding(Data):
    def encode(self, raw, train):
        return super().encode(raw, train)[:9]


class NoWrapper(Data):
    def wrap(self, architecture):
        return None


class Unseen(Data):
    def read(self):
        return dataclasses.replace(super().read(), class_names=["a", "b", "c"])


class Lightning(__import__("lightning").LightningModule):
    def __init__(self, in_features: int):
        super().__init__()
