"""Lightning's `ddp` in processes that the lab starts, and what can be trained so."""

import os
from collections.abc import Mapping
from typing import Any

import lightning as L
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor

from lab.config.experiment import Experiment
from lab.data.base import SPLITS
from lab.data.loaders import Batch, SeededLoader
from lab.data.shares import Share
from lab.errors import LabError
from lab.modules.tasks.task import TaskModule
from lab.training.building import Built
from lab.training.own_modules.lightning_internals import states_of_one_device

LEAST = 2  # samples of a batch on a device: batch norm cannot be trained on one
ROUNDING = 1e-4  # relative, between the loss of a batch and the mean over its parts
MANY_TRAININGS = (
    "studies, comparisons and folds train each on one device; several at once, one on each, with resources.gpus=1"
)


class SharedBatches(DDPStrategy):
    """`ddp` in the process of one device (`rank`, from 0): each device has the network and a share of each batch.

    The lab starts the processes, since Lightning would start the command again in each: two runs and two reports.
    Buffers are shared before a validation alone: its batches are not equally many on all devices.
    """

    def __init__(self, rank: int):
        super().__init__(cluster_environment=_Started(rank), broadcast_buffers=False)

    @property
    def launcher(self) -> None:
        """None: Lightning's would change the number of threads, too."""

    def barrier(self, name: str | None = None, *args: Any, **kwargs: Any) -> None:
        """Wait for all devices, but not after a checkpoint, which the first one writes at times of its own."""
        if name != "Trainer.save_checkpoint":
            super().barrier(name, *args, **kwargs)


class _Started(LightningEnvironment):
    """The surroundings of a process that was started for a device."""

    def __init__(self, rank: int):
        super().__init__()
        self._rank = rank

    @property
    def creates_processes_externally(self) -> bool:
        """True: Lightning starts none."""
        return True

    def local_rank(self) -> int:
        """The number of the device, from 0."""
        return self._rank


def count(experiment: Experiment) -> int:
    """The number of devices that a training is on; raises LabError where they are not there."""
    devices = experiment.trainer["devices"]
    if devices in (1, "1") or (isinstance(devices, list) and len(devices) == 1):
        return 1
    found = _found(experiment)
    number, kind = found.num_devices, found.strategy.root_device.type
    if number > 1 and kind not in ("cpu", "cuda"):
        raise LabError(f"trainer.devices: {number} are for CPUs and GPUs of CUDA, not for {kind}; use 1")
    if number > (cpus := os.cpu_count() or 1) and kind == "cpu":
        raise LabError(f"trainer.devices: {number} processes are too many for {cpus} CPUs; use at most {cpus}")
    return number


def first_device(experiment: Experiment) -> torch.device:
    """The device of the process that records the run."""
    return _found(experiment).strategy.root_device


def _found(experiment: Experiment) -> L.Trainer:
    """A trainer on the devices of an experiment; raises LabError where Lightning does not find them."""
    chosen = {name: experiment.trainer[name] for name in ("accelerator", "devices")}
    try:
        return L.Trainer(**chosen, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    except Exception as error:  # of several kinds, whatever Lightning does not like about its arguments
        raise LabError(f"trainer: {' '.join(str(error).split())}") from error


def of_trainer(experiment: Experiment, rank: int, alone: bool) -> dict[str, Any]:
    """The settings of Trainer with which the device `rank` trains, or the first one `alone`."""
    if count(experiment) == 1:
        return {"strategy": "auto"}
    if not alone:
        return {"strategy": SharedBatches(rank)}
    first = first_device(experiment)
    return {"strategy": "auto", "devices": 1 if first.index is None else [first.index]}


def check_alone(experiment: Experiment) -> None:
    """Raise LabError for one of many trainings that would take several devices."""
    searched = "trainer.devices" in experiment.search
    if searched or count(experiment) > 1:
        found = "searched" if searched else experiment.trainer["devices"]
        raise LabError(f"trainer.devices: must be 1 here, not {found}: {MANY_TRAININGS}")


def check(built: Built) -> None:
    """Raise LabError for what cannot be trained on as many devices as the experiment names."""
    experiment, data = built.experiment, built.data
    devices = count(experiment)
    if devices == 1:
        return
    if not torch.distributed.is_available():
        raise LabError(f"trainer.devices: this build of torch cannot train on {devices} devices; use 1")
    if torch.distributed.is_initialized():
        raise LabError(
            "trainer.devices: this program has a process group of its own (torch.distributed); use 1, or start the run "
            "by `lab run`"
        )
    if experiment.module is not None:
        raise LabError(
            f"trainer.devices: a module of your own trains on one device, since the lab cannot weigh the parts of a "
            f"batch in steps that it does not take; use 1, or model: instead of module: {experiment.module.kind}"
        )
    if experiment.unfreeze_at is not None:
        raise LabError("unfreeze_at: ddp decides at the start what is trained; use trainer.devices=1, or leave it out")
    loaders = {"train": data.train_dataloader(), "val": data.val_dataloader()}
    for split, loader in loaders.items():
        if not isinstance(loader, SeededLoader):
            raise LabError(
                f"trainer.devices: {experiment.data.kind} has its own {split}_dataloader(), whose batches the lab "
                "cannot share out; use 1"
            )
    _check_sizes(loaders["train"], len(data.splits["val"]), devices)  # type: ignore[arg-type]
    for split in SPLITS:
        _check_metrics(built, split)


def _check_sizes(train: SeededLoader, val: int, devices: int) -> None:
    """Raise LabError where a device would have no samples of a batch, or a single one."""
    size, rest = train.batch_size, 0 if train.drop_last else len(train.sampler) % train.batch_size
    for samples, which in ((size, "a batch"), (rest, "the last batch of an epoch")):
        if samples and Share(devices - 1, devices).size(samples) < LEAST:
            raise LabError(
                f"data.batch_size: {which} has {samples} samples, less than {LEAST} for each of {devices} devices; "
                "use another"
            )
    if val < devices:
        raise LabError(f"trainer.devices: {devices} are more than the {val} validation samples")


def _check_metrics(built: Built, split: str) -> None:
    """Raise LabError for a metric of which the states of several devices cannot be put together."""
    for name, metric in built.task_module.new_metrics(split).items():
        for state in states_of_one_device(metric):
            raise LabError(
                f"metrics.{name}: what it collects as `{state}` cannot be put together from several devices; "
                "give add_state a dist_reduce_fx, or use trainer.devices=1"
            )


def check_gradients(built: Built, gradients: Mapping[str, float | None]) -> None:
    """Raise LabError for a parameter without a gradient where several devices would wait for it."""
    if count(built.experiment) == 1:
        return
    trained = (name for name, parameter in built.task_module.architecture.named_parameters() if parameter.requires_grad)
    if missing := next((name for name in trained if gradients.get(name) is None), None):
        raise LabError(
            f"trainer.devices: {missing} gets no gradient, for which several devices would wait; freeze it, or use 1"
        )


def check_loss(built: Built, outputs: Tensor, batch: Batch) -> None:
    """Raise LabError where the loss of a batch is not the weighted mean of those of its parts.

    `outputs` (B, ...) are those of the whole batch: what a network makes of a part alone does not count here.
    """
    devices, module = count(built.experiment), built.task_module
    if devices == 1:
        return
    with torch.no_grad():
        whole, again = (float(_counted(module, outputs, batch)[0]) for _ in range(2))
        number = max(1, min(devices, len(outputs) // LEAST))  # on a GPU it is a share already
        parts = zip(*(part.tensor_split(number) for part in (outputs, *batch)), strict=True)
        of_parts = [_counted(module, part[0], part[1:]) for part in parts]
    counted = [(float(loss), weight) for loss, weight in of_parts if weight]
    if not counted:
        return
    mean = sum(loss * weight for loss, weight in counted) / sum(weight for _, weight in counted)
    largest = max(abs(loss) for loss in (whole, *(loss for loss, _ in counted)))
    allowed = max(ROUNDING, 8 * torch.finfo(outputs.dtype).eps) * largest
    if abs(mean - whole) > allowed >= abs(again - whole):  # one with random numbers is never twice the same
        raise LabError(
            f"loss: {type(module.loss).__name__} is {whole:.6g} for a batch, but {mean:.6g} as the mean over its parts "
            f"on {devices} devices; use trainer.devices=1, or a mean over samples"
        )


def _counted(module: TaskModule, outputs: Tensor, batch: Batch) -> tuple[Tensor, float]:
    return module.counted(module.loss_of(outputs, batch), batch)


def described(trainer: L.Trainer) -> str:
    """The devices of a training in words."""
    devices = getattr(trainer.strategy, "parallel_devices", None) or [trainer.strategy.root_device]
    names = dict.fromkeys(str(device) for device in devices)
    return ", ".join(names) if len(names) == len(devices) else f"{len(devices)} × {', '.join(names)}"
