"""`freeze:` and `unfreeze_at:` parameters that are not trained, for the whole run or up to an epoch."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import nn

from lab.display.numbers import counted
from lab.errors import LabError
from lab.training.fine_tuning.patterns import matches, names_for_patterns
from lab.weights.loading import none_matches, plain_names, shown


@dataclass(frozen=True)
class Frozen:
    """What is frozen in a module: names of parameters, and of the layers that normalise by running statistics."""

    parameters: frozenset[str]
    norms: frozenset[str]


class Freezing(Callback):
    """Keeps parameters as they are before epoch `unfreeze_at` (from 1); to the end where it is None.

    The running statistics of frozen norms stay, too: they are in evaluation mode. The optimizer has all parameters
    from the start and passes over those without a gradient, so that nothing in it changes at the unfreezing.
    """

    def __init__(self, frozen: Frozen, unfreeze_at: int | None):
        self.frozen = frozen
        self.unfreeze_at = unfreeze_at

    def apply(self, module: nn.Module, epoch: int = 0) -> None:
        """Freeze or unfreeze for an epoch, from 0; `module` is the LightningModule or a copy of it."""
        trained = self.unfreeze_at is not None and epoch + 1 >= self.unfreeze_at
        for name, parameter in module.named_parameters():
            if name in self.frozen.parameters:
                parameter.requires_grad_(trained)
        for name, layer in module.named_modules():
            if name in self.frozen.norms:
                layer.train(trained)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Freeze also where a checkpoint has interrupted an epoch; raises LabError for an optimizer without them."""
        self.apply(pl_module, trainer.current_epoch)
        held = {
            id(each) for optimizer in trainer.optimizers for group in optimizer.param_groups for each in group["params"]
        }
        left_out = [
            name
            for name, parameter in pl_module.named_parameters()
            if name in self.frozen.parameters and id(parameter) not in held
        ]
        if self.unfreeze_at is not None and left_out:
            raise LabError(
                f"unfreeze_at: {shown(left_out, 3)} would never be trained: configure_optimizers leaves frozen "
                "parameters out; let it take all of self.parameters()"
            )

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Unfreeze at the start of the epoch that is named."""
        self.apply(pl_module, trainer.current_epoch)

    def new(self, module: nn.Module, loaded: Collection[str]) -> list[str]:
        """The frozen parameters that no weights were loaded into; `loaded` are names without wrappers."""
        frozen = [name for name, _ in module.named_parameters() if name in self.frozen.parameters]
        whole, of_member = plain_names(module.state_dict()), names_for_patterns(module, module.state_dict())
        return [whole[name] for name in frozen if not {whole[name], of_member[name]} & set(loaded)]

    def note(self, module: nn.Module) -> str:
        """What is frozen, and how long."""
        sizes = [p.numel() for name, p in module.named_parameters() if name in self.frozen.parameters]
        until = "" if self.unfreeze_at is None else f" before epoch {self.unfreeze_at}"
        count = len(self.frozen.norms)
        norms = f"; the statistics of {counted(count, 'frozen norm')} stay" if count else ""
        return f"{counted(len(sizes), 'tensor')}, {counted(sum(sizes), 'parameter')}, are not trained{until}{norms}"


def freezing_of(
    patterns: Sequence[str] | None, unfreeze_at: int | None, epochs: int, module: nn.Module
) -> Freezing | None:
    """The freezing of a module by patterns of names, applied; raises LabError for what would have no effect."""
    if not patterns:
        if unfreeze_at is not None:
            raise LabError("unfreeze_at: nothing is frozen; add freeze: [patterns of parameters]")
        return None
    if unfreeze_at is not None and epochs < 2:
        raise LabError("unfreeze_at: a training of one epoch has no later one; leave it out, or set trainer.max_epochs")
    if unfreeze_at is not None and not 2 <= unfreeze_at <= epochs:
        raise LabError(f"unfreeze_at: must be an epoch from 2 to {epochs}, the last one, not {unfreeze_at}")
    trained = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    plain = names_for_patterns(module, (name for name, _ in module.named_parameters()))
    matched = {name for pattern in patterns for name in _matched(pattern, plain)}
    if not trained - matched:
        raise LabError("freeze: every parameter is frozen, so nothing can be learned; leave the last layer out")
    freezing = Freezing(Frozen(frozenset(matched & trained), _norms(module, matched, patterns)), unfreeze_at)
    freezing.apply(module)
    return freezing


def _matched(pattern: str, plain: dict[str, str]) -> list[str]:
    """The names that match a pattern, with or without the wrappers in front; raises LabError where none does."""
    found = [name for name, short in plain.items() if matches(pattern, name, short)]
    if not found:
        raise LabError(f"freeze: '{pattern}' matches no parameter; {none_matches(pattern, [*plain.values()])}")
    return found


def _norms(module: nn.Module, matched: set[str], patterns: Sequence[str]) -> frozenset[str]:
    """The layers with running statistics all of whose parameters are frozen; without any, those that match."""
    found = set()
    for name, layer in module.named_modules():
        if getattr(layer, "running_mean", None) is None:
            continue
        own = {f"{name}.{each}" for each, _ in layer.named_parameters(recurse=False)}
        statistics = f"{name}.running_mean"
        short = names_for_patterns(module, [statistics])[statistics]
        by_name = any(matches(pattern, statistics, short) for pattern in patterns)
        if own <= matched if own else by_name:
            found.add(name)
    return frozenset(found)
