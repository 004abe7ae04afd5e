"""The training split whose samples are changed at random, each by (seed, epoch, sample)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lab.config.sections import Part, part
from lab.data.augmentation import pixels
from lab.data.loaders import EpochOrder, WholeBatches, batch_of, derived_seed
from lab.data.preparation import Scale
from lab.errors import LabError, described, place_of

TRIED = 64  # samples on which each transform is tried
Change = Callable[[Tensor], Tensor]  # of one standardised sample (C, ...)


class EpochAndIndexOrder(EpochOrder):
    """Yields (epoch + 1) · size + index of another order, so that the dataset knows the epoch in any worker process."""

    def __init__(self, order: EpochOrder):
        super().__init__(order.size, order.seed, order.shuffle)
        self.order = order

    def indices(self) -> Tensor:
        """All indices of the epoch, combined with the epoch, (size,)."""
        self.order.set_epoch(self.epoch)
        return self.order.indices() + (self.epoch + 1) * self.size


class Augmented(WholeBatches):
    """A dataset whose samples are changed by (seed, epoch, index); unchanged for an index without an epoch."""

    def __init__(self, dataset: Any, changes: Sequence[tuple[str, Change]], seed: int):
        self.dataset = dataset
        self.changes = changes
        self.seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(part[0] for part in self.batch(torch.tensor([index])))

    def batch(self, indices: Tensor) -> tuple[Tensor, ...]:
        """The samples of these indices of EpochAndIndexOrder: x (B, ...), y (B, ...).

        Raises LabError where a transform fails, or gives another shape or type than it got.
        """
        x, *rest = batch_of(self.dataset, indices % len(self))
        keys = [divmod(key, len(self)) for key in indices.tolist()]
        if not any(epoch for epoch, _ in keys):
            return x, *rest
        with torch.random.fork_rng(devices=[]):
            rows = [self._changed(row, epoch, index) for row, (epoch, index) in zip(x, keys, strict=True)]
        return torch.stack(rows), *rest

    def _changed(self, x: Tensor, epoch: int, index: int) -> Tensor:
        if epoch:
            torch.default_generator.manual_seed(derived_seed(self.seed, epoch, index))
            for kind, change in self.changes:
                x = _checked(kind, change, x)
        return x


def _checked(kind: str, change: Change, x: Tensor) -> Tensor:
    """A sample, changed; raises LabError unless it is one of the same shape and type."""
    try:
        changed = change(x)
    except Exception as error:  # whatever a transform of torchvision or of one's own raises
        raise LabError(f"data.augment: {kind} fails: {described(error)}{place_of(error)}") from error
    if not isinstance(changed, Tensor) or changed.shape != x.shape or changed.dtype != x.dtype:
        given = f"{tuple(changed.shape)} {changed.dtype}" if isinstance(changed, Tensor) else type(changed).__name__
        raise LabError(
            f"data.augment: {kind} makes a sample {tuple(x.shape)} {x.dtype} {given}; "
            "a transform must leave shape and type as they are"
        )
    return changed


def parts_of(augment: Iterable[Mapping[str, Any]]) -> list[Part]:
    """The transforms of `data.augment`; raises LabError."""
    return [part("data.augment", dict(each)) for each in augment]


def augmented(
    dataset: Any, parts: Sequence[Part], shape: tuple[int, ...], task: str, scale: Scale, values: str | None, seed: int
) -> Augmented:
    """A training split of samples (`shape`) behind transforms; raises LabError for those that do not fit it.

    `scale` standardised its inputs; `values` is the range of image files, None for other data.
    """
    _check_samples(dataset, shape)
    changes = []
    for each in parts:
        if pixels.is_of_torchvision(each):
            changes.append((each.kind, _of_torchvision(each, dataset, shape, scale, values)))
        else:
            changes.append((each.kind, _own(each, task)))
    return Augmented(dataset, changes, seed)


def without_effect(augmented: Augmented) -> list[str]:
    """The kinds of the transforms that leave all of TRIED samples as they are; raises LabError for one that fails."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(augmented.seed)
        samples = [augmented[index % len(augmented)][0] for index in range(TRIED)]
        idle = []
        for kind, change in augmented.changes:
            changed = [_checked(kind, change, sample) for sample in samples]
            if all(torch.allclose(one, other, equal_nan=True) for one, other in zip(changed, samples, strict=True)):
                idle.append(kind)
    return idle


def _check_samples(dataset: Any, shape: tuple[int, ...]) -> None:
    """Raise LabError for a table, and for token numbers."""
    if len(shape) not in (2, 3):
        raise LabError(f"data.augment: is for sequences (C, L) and images (C, H, W), not for samples {shape}")
    x = dataset[0][0]
    if not x.is_floating_point():
        raise LabError(f"data.augment: is for measured values, not for {str(x.dtype).removeprefix('torch.')} numbers")


def _of_torchvision(each: Part, dataset: Any, shape: tuple[int, ...], scale: Scale, values: str | None) -> Change:
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise LabError(
            f"data.augment: torchvision's {each.kind} takes images with 1 or 3 channels, not samples {shape}; "
            "jitter, scaling, mask and shift take any"
        )
    transform, of_images = pixels.build(each), pixels.range_of(dataset, scale, values)
    return lambda image: of_images.apply(transform, image)


def _own(each: Part, task: str) -> Change:
    transform: nn.Module = each.build()
    if task == "forecasting" and not getattr(transform, "of_windows", True):
        raise LabError(
            f"data.augment: {each.kind} would change a window and not the steps after it; use jitter or mask"
        )
    return transform
