"""Averaged weights, which are validated, tested and exported in place of the trained ones: `trainer.average`.

Lightning's WeightAveraging averages once a batch of its loop, which is a block of optimizer steps here, and its
checkpoints know nothing of a best epoch; so torch's AveragedModel is used directly.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

Kind = Literal["ema", "swa"]


class WeightAverage:
    """The average of a network's weights, and of its buffers, from the epoch `first` (from 1) on.

    `ema`: after every step, `decay` · average + (1 - `decay`) · weights (Polyak & Juditsky 1992, exponential).
    `swa`: the mean of the weights at the end of each epoch (Izmailov et al. 2018, arXiv 1803.05407). Statistics of
    batch norm are buffers, and averaged like the weights; counters are copied.
    """

    def __init__(self, kind: Kind, decay: float, first: int):
        self.kind = kind
        self.decay = decay
        self.first = first
        self.model: AveragedModel | None = None  # while there is nothing to average
        self._loaded: dict[str, Any] = {}

    def after_step(self, network: nn.Module, epoch: int, ends_epoch: bool) -> None:
        """Take the weights after an optimizer step of an epoch (from 1) into the average, if they belong to it."""
        if epoch >= self.first and (ends_epoch or self.kind == "ema"):
            self.add(network)

    def add(self, network: nn.Module) -> None:
        """Take the present weights into the average."""
        if self.model is None:
            self.model = self._copy_of(network)
        self.model.update_parameters(network)

    @torch.no_grad()
    def exchange(self, network: nn.Module) -> None:
        """Give the network the averaged weights and keep its own in their place; called again, the other way round."""
        if self.model is not None:
            for one, other in zip(_tensors(network), _tensors(self.model.module), strict=True):
                before = one.clone()
                one.copy_(other)
                other.copy_(before)

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights by name; empty while there are none."""
        return self.model.module.state_dict() if self.model is not None else {}

    def state(self, network: nn.Module) -> dict[str, Any]:
        """What a checkpoint needs besides the averaged weights."""
        count = int(self.model.n_averaged) if self.model is not None else 0
        return {"count": count, "trained": network.state_dict() if count else {}}

    def load(self, state: dict[str, Any], averaged: dict[str, Tensor]) -> None:
        """Go on with what `state` gave and the averaged weights, once `restore` has the network."""
        self._loaded = {**state, "averaged": averaged} if state.get("count") else {}

    def restore(self, network: nn.Module) -> None:
        """Give the network its own weights, and the average its, where a checkpoint was loaded."""
        if self._loaded:
            self.model = self._copy_of(network)
            self.model.n_averaged.fill_(self._loaded["count"])
            self.model.module.load_state_dict(self._loaded["averaged"])
            network.load_state_dict(self._loaded["trained"])
            self._loaded = {}

    def _copy_of(self, network: nn.Module) -> AveragedModel:
        return AveragedModel(network, multi_avg_fn=self._average, use_buffers=True)

    @torch.no_grad()
    def _average(self, averaged: Sequence[Tensor], present: Sequence[Tensor], count: Tensor | int) -> None:
        """Move the averages towards the present values; of whole numbers there is no average."""
        one, other = list(averaged), list(present)
        if not one[0].is_floating_point():
            torch._foreach_copy_(one, other)
        elif self.kind == "ema":
            get_ema_multi_avg_fn(self.decay)(one, other, count)
        else:
            get_swa_multi_avg_fn()(one, other, count)


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()


def average_for(settings: Mapping[str, Any]) -> WeightAverage | None:
    """The average that the settings of `trainer` ask for, if any."""
    kind = settings["average"]
    if kind is None:
        return None
    default = settings["max_epochs"] * 3 // 4 + 1 if kind == "swa" else 1
    return WeightAverage(kind, settings["average_decay"], settings["average_from"] or default)
