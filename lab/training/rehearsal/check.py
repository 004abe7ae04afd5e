"""`lab check`: the rehearsal of an experiment alone, with figures of its first batch; nothing is recorded."""

import math
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from lab.config.experiment import Experiment
from lab.errors import described, printable
from lab.files import same_folder
from lab.modules.tasks.task import TaskModule
from lab.training.building import Built, build
from lab.training.rehearsal import memory
from lab.training.rehearsal.isolation import copied, in_precision, on_device, same_randomness
from lab.training.rehearsal.part_checks import batches
from lab.training.rehearsal.sanity_checks import Note
from lab.training.rehearsal.whole_batch import Rehearsal, rehearse
from lab.training.results import artifacts
from lab.training.threads import choose_threads
from lab.training.trainer import make_trainer, silence_libraries

SECONDS_OF_STEPS = 0.5  # for which training steps are timed
LEAST_STEPS = 3
MOST_SKIPPED = 100  # files that are listed


@dataclass(frozen=True)
class Findings:
    """What `lab check` prints. `guess` is the loss where every output is 0, None where that is no number.

    `memory` has bytes by what they are for, `layers` the norm of each layer's gradient, None where it has none;
    `not_exported` is the reason why no model will be exported, "" where one will. Of a module of one's own only the
    size, the first loss, the export and the notes are known.
    """

    experiment: Experiment
    task: str
    parameters: int
    trainable: int
    memory: Mapping[str, int]
    seconds_per_step: float | None
    steps: int  # in an epoch
    loss: float
    guess: float | None
    layers: Mapping[str, float | None]
    not_exported: str
    notes: list[Note]


def check(experiment: Experiment) -> Findings:
    """Rehearse an experiment and measure its first training steps; raises LabError as a run would."""
    with same_folder():
        built, rehearsal = rehearsed(experiment)
        built = choose_threads(built)
        weights = list(built.module.parameters())
        trainable = [parameter for parameter in weights if parameter.requires_grad]
        used = {
            "weights": memory.of_tensors(iter(weights)),
            "gradients": memory.of_tensors(iter(trainable)),
            "optimizer": rehearsal.optimizer_state,
            "activations": rehearsal.activations,
        }
        own = not isinstance(built.module, TaskModule)
        return Findings(
            experiment=built.experiment,
            task=built.data.task,
            parameters=sum(parameter.numel() for parameter in weights),
            trainable=sum(parameter.numel() for parameter in trainable),
            memory={} if own else used,
            seconds_per_step=None if own else _seconds_per_step(built),
            steps=0 if own else _steps(built),
            loss=rehearsal.loss,
            guess=None if own else _loss_of_guess(built),
            layers=_by_layer(rehearsal.gradients),
            not_exported=_not_exported(built),
            notes=[*built.data.notes, *rehearsal.notes, *_skipped(built.data.skipped)],
        )


def rehearsed(experiment: Experiment) -> tuple[Built, Rehearsal]:
    """An experiment, built and rehearsed; raises LabError as a run would before it is recorded."""
    silence_libraries()
    built = build(experiment)
    return built, rehearse(built)


def _skipped(lines: Sequence[str]) -> list[Note]:
    """The files of the source that are not used."""
    more = f"and {len(lines) - MOST_SKIPPED:,} more; a run lists all in skipped.txt"
    notes = [("skipped", printable(line)) for line in lines[:MOST_SKIPPED]]
    return [*notes, ("skipped", more)] if len(lines) > MOST_SKIPPED else notes


def _steps(built: Built) -> int:
    """Optimizer steps in an epoch."""
    return math.ceil(built.data.train_dataloader().batches / built.task_module.stepping.accumulate)


def _seconds_per_step(built: Built) -> float:
    """The median time of a training step: forward and backward pass, and the optimizer's part."""
    device = make_trainer(built).strategy.root_device
    with same_randomness(), copied(built) as tried, on_device(tried, device) as moved, in_precision(tried) as cast:
        module, batch = tried.in_training_mode(), cast(moved(batches(tried.data)[0]))
        optimizer = module.make_optimizer(module)
        times: list[float] = []
        until = time.perf_counter() + SECONDS_OF_STEPS
        while len(times) < LEAST_STEPS or time.perf_counter() < until:
            began = time.perf_counter()
            module.batch_loss(batch)[1].backward()
            optimizer.step()
            optimizer.zero_grad()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times.append(time.perf_counter() - began)
    return statistics.median(times)


@torch.no_grad()
def _loss_of_guess(built: Built) -> float | None:
    """The loss of a network that has learned nothing: the same probability for each class, or the training mean."""
    batch, _ = batches(built.data)
    outputs = built.task_module.guess(len(batch[1]), built.data.sizes.raw_outputs, *built.data.sizes.positions)
    try:
        guess = float(built.task_module.loss_of(outputs, batch))
    except Exception:  # a loss that takes probabilities only, for one
        return None
    return guess if math.isfinite(guess) else None


def _by_layer(norms: Mapping[str, float | None]) -> dict[str, float | None]:
    """The norms of parameters as those of the layers that they belong to."""
    layers: dict[str, float | None] = {}
    for name, norm in norms.items():
        layer = name.rpartition(".")[0] or name
        before = layers.get(layer)
        layers[layer] = before if norm is None else math.hypot(before or 0.0, norm)
    return layers


def _not_exported(built: Built) -> str:
    """Why the model cannot be exported, "" where it can: it is, to a folder that is removed."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            artifacts.write_model(built, Path(folder) / "model")
        except Exception as error:  # whatever torch.export raises
            return described(error)
    return ""
