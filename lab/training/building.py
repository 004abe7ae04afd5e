"""From an experiment to the objects that it names: data, architecture, module."""

import contextlib
import ctypes
import dataclasses
import functools

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import nn
from torch.nn.parameter import UninitializedParameter

from lab.architectures.adapters import Embedded, FromLastValue, OrderedThresholds, TokenEmbedding
from lab.config import kinds, schema
from lab.config.experiment import Experiment
from lab.config.sections import SIZES, Part
from lab.config.types import Fold
from lab.data.augmentation.augmented import parts_of
from lab.data.base import DataModule, SampleDataModule
from lab.data.lightning_data import LightningData
from lab.data.sizes import EmbeddedColumns, EmbeddedTokens, InputAdapter, RelativeToLastValue, Sizes
from lab.errors import LabError, described, place_of
from lab.modules.observer import Observer
from lab.modules.tasks import conformal
from lab.modules.tasks.combination import combine_with_naive
from lab.modules.tasks.predictor import OwnPredictor, Predictor, predict_with
from lab.modules.tasks.task import TaskModule
from lab.modules.training_step import block_size
from lab.training import members
from lab.training.fine_tuning import preparation
from lab.training.fine_tuning.preparation import NOTHING, FineTuning
from lab.training.own_modules.own_module import OwnObserver, declared_directions
from lab.training.rehearsal import part_checks
from lab.training.rehearsal.memory import bounded_parameters
from lab.training.rehearsal.part_checks import check_metrics, check_optimizer
from lab.training.task_modules import levels_of, loss_of, module_of, output_of

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
KEPT_BYTES = 2**30


@dataclasses.dataclass(frozen=True)
class Built:
    """An experiment with its loss decided, and what it is run with."""

    experiment: Experiment
    data: DataModule
    module: L.LightningModule
    observer: Observer
    fine_tuning: FineTuning = NOTHING

    @property
    def task_module(self) -> TaskModule:
        """The module of an experiment that leaves the training step to the lab."""
        assert isinstance(self.module, TaskModule)
        return self.module

    @property
    def judge(self) -> TaskModule | None:
        """The module of the task, by whose metrics baselines are compared; None where one's own module logs none."""
        if isinstance(self.module, TaskModule):
            return self.module
        own = self.observer.task_scores if isinstance(self.observer, OwnObserver) else None
        return own.task if own is not None and own.names else None

    @property
    def callbacks(self) -> list[Callback]:
        """The callbacks without which the module cannot be trained as the lab promises."""
        freezing = self.fine_tuning.freezing
        return [each for each in (self.observer, freezing) if isinstance(each, Callback)]

    def in_training_mode(self) -> TaskModule:
        """The module in training mode, as far as it is not frozen."""
        self.task_module.train()
        if self.fine_tuning.freezing is not None:
            self.fine_tuning.freezing.apply(self.module)
        return self.task_module

    def name_in_module(self, metric: str) -> str:
        """The name under which the module logs a metric that is recorded as `metric`."""
        return self.observer.logged.get(metric, metric) if isinstance(self.observer, OwnObserver) else metric

    def predictor(self) -> nn.Module:
        """The model for raw inputs, on the CPU, sharing the module's weights."""
        self.module.cpu().float()
        if isinstance(self.module, TaskModule):
            return Predictor(self.module.architecture, self.data.input_scale, self.module.output())
        of_task = output_of(self.data)
        return OwnPredictor(self.module, self.data.input_scale, None if self.numbered_outputs() else of_task)

    def numbered_outputs(self) -> int:
        """How many values a module of one's own predicts for a sample; 0 where they are the outputs of the task.

        They are if `forward` gives (N, out_features), as the networks of the lab do; and where it cannot be called.
        """
        if isinstance(self.module, TaskModule):
            return 0
        training, samples = self.module.training, self.data.first_samples(2)
        try:
            with torch.no_grad():
                outputs = predict_with(self.module.eval(), samples.to(self.module.device))
        except Exception:  # the module takes something else; its export will say what
            return 0
        finally:
            self.module.train(training)
        sizes = self.data.sizes
        of_task = tuple(outputs.shape) == (len(samples), sizes.raw_outputs, *sizes.positions)
        if of_task and not is_overridden("predict_step", self.module):
            return 0
        return outputs.numel() // len(samples)


def build(experiment: Experiment, data: DataModule | None = None) -> Built:
    """Prepare the data and build module and architecture, seeded; raises LabError where they do not fit.

    `data` may be the experiment's data from an earlier build, which is then not read again. Sets the process's
    number of threads: a setting like the others, since small networks are slower on many, and the last bits
    of a sum depend on it. One thread while it is `auto`, see threads.py.
    """
    torch.set_num_threads(1 if experiment.threads == "auto" else experiment.threads)
    reuse_memory()
    data = data or open_data(experiment.data, experiment.seed_of("split"), experiment.fold)
    data.order_seed, data.noise_seed = experiment.seed_of("order"), experiment.seed_of("dropout")
    L.seed_everything(experiment.seed_of("init"), workers=True, verbose=False)
    data.sizes = data.sizes.with_levels(1)
    if experiment.module is not None:
        return _with_own_module(experiment, experiment.module, data)
    if isinstance(data, LightningData):
        raise LabError(
            f"data: {data.kind} is a LightningDataModule, which only a module of your own can be trained on "
            "(module:); derive from lab.data.base.SampleDataModule to train a model: on it"
        )
    experiment = dataclasses.replace(experiment, loss=loss_of(experiment.loss, data))
    conformal.check_data(experiment.conformal, data)
    data.sizes = data.sizes.with_levels(len(levels_of(experiment.part("loss"))) or 1)
    whole = members.network(experiment, data, lambda: _network(experiment, experiment.part("model"), data))
    parameters = sum(p.numel() for p in whole.parameters())
    data.block = 1  # batches of unequal length do not fit in a block
    if not data.sizes.padded:
        data.block = block_size(experiment.trainer, data.batch_size, parameters, _channels(data.sizes))
    module = module_of(experiment, data, whole)
    experiment, fine_tuning = preparation.prepare(experiment, data, module)
    members.check(experiment, module)
    check_metrics(experiment, data, module)
    check_optimizer(experiment, module)
    return Built(experiment, data, module, module, fine_tuning)


def _channels(sizes: Sizes) -> tuple[int, ...]:
    """The shape (C, ...) of a sample, where tokens (L,) of a language model are one channel."""
    return (1, *sizes.input_shape) if sizes.vocabulary else sizes.input_shape


def _network(experiment: Experiment, model: Part, data: DataModule) -> nn.Module:
    """The architecture behind the layers that the data needs, tried on two samples."""
    _check_model(model)
    part_checks.check_kind(model, experiment.data, data.sizes)
    with bounded_parameters(model.kind):
        architecture: nn.Module = model.build(**data.sizes.supplied())
    part_checks.check_padding(model, experiment.data, architecture, data.sizes)
    architecture = preparation.normalised(architecture, data)
    whole = data.wrap(with_input_adapter(architecture, data.input_adapter, data.sizes.levels))
    if not isinstance(whole, nn.Module):
        raise LabError(f"data: {experiment.data.kind}.wrap() must return a network, not {type(whole).__name__}")
    part_checks.check_forward(whole, architecture, model, data.first_samples(2), data.sizes)
    if missing := next((name for name, p in whole.named_parameters() if isinstance(p, UninitializedParameter)), None):
        raise LabError(f"model: {model.kind} never uses its parameter {missing}, which has no shape")
    if experiment.combine_with_naive:
        whole = combine_with_naive(whole, data)
    if data.sizes.ordered:
        whole = OrderedThresholds(whole, data.class_counts)
    return whole.to(memory_format=torch.channels_last) if experiment.channels_last else whole  # type: ignore[call-overload]


def _with_own_module(experiment: Experiment, module: Part, data: DataModule) -> Built:
    """An experiment whose module is the user's own LightningModule, around the network of `model:` if it takes one."""
    if experiment.conformal is not None:
        raise LabError("conformal: a module of your own predicts in its own terms; leave it out")
    if experiment.threads == "auto":
        raise LabError("threads: auto cannot be tried for a module of your own; write a number")
    if data.input_adapter is not None and experiment.model is None:
        raise LabError(
            f"module: {experiment.data.kind} needs a layer of its own in front of the network; let {module.kind} take "
            "the network as its argument `model`, and add model:"
        )
    data.block = 1
    supplied = data.sizes.supplied()
    if experiment.model is not None:
        supplied["model"] = _network(experiment, experiment.model, data)
    for name in SIZES:
        if schema.requires(module.target, name) and name not in supplied:
            raise LabError(f"module.kind: {module.kind} requires `{name}`, which {experiment.data.kind} does not have")
    with bounded_parameters(module.kind):
        made: L.LightningModule = module.build(**supplied)
    if experiment.model is None:
        part_checks.check_padding(module, experiment.data, made, data.sizes)
    if experiment.channels_last:
        made.to(memory_format=torch.channels_last)
    directions = declared_directions(made, module.kind)
    observer = OwnObserver(directions, experiment.seed_of("dropout"), experiment.seed_of("order"))
    experiment, fine_tuning = preparation.prepare(experiment, data, made)
    return Built(experiment, data, made, observer, fine_tuning)


@functools.cache
def reuse_memory() -> None:
    """Make glibc keep large buffers for the next step; elsewhere nothing happens.

    By default it may return each to the system and get it again page by page: an epoch of lstm then takes 1.5 times as
    long, or not, depending on what the process has allocated before.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def _check_model(model: Part) -> None:
    """Raise LabError for a LightningModule, whose own steps and optimizers would never be called."""
    if isinstance(model.target, type) and issubclass(model.target, L.LightningModule):
        raise LabError(
            f"model.kind: {model.kind} is a LightningModule, whose training_step and configure_optimizers would not be "
            "called; name it under module: instead, or here the nn.Module inside it"
        )


def open_data(part: Part, seed: int, fold: str | None = None) -> DataModule:
    """The data of an experiment, prepared; raises LabError also for what a data module of one's own raises."""
    made = part.build(seed=seed)
    data: DataModule = made if isinstance(made, DataModule) else LightningData(made, part.kind, seed)
    if fold is not None:
        if not isinstance(data, SampleDataModule):
            raise LabError(
                f"fold: {part.kind} splits its data itself and so has no folds; train it on other seeds instead"
            )
        data.fold = Fold.parse(fold)
    if transforms := parts_of(part.of_batches["augment"]):
        data.transforms += transforms
    _prepare(data, part.kind)
    return data


def _prepare(data: DataModule, kind: str) -> None:
    try:
        data.prepare()
    except LabError:
        raise
    except (Exception, SystemExit) as error:
        if not kinds.code_of("data", kind):  # a bug, which needs its traceback
            raise
        raise LabError(f"data: {kind} cannot be read: {described(error)}{place_of(error)}") from error


def with_input_adapter(architecture: nn.Module, adapter: InputAdapter | None, levels: int = 1) -> nn.Module:
    """The architecture, which gives `levels` outputs for each value, behind the input adapter of the data."""
    match adapter:
        case EmbeddedColumns():
            return Embedded(architecture, adapter.columns, adapter.embeddings(), adapter.texts)
        case RelativeToLastValue():
            return FromLastValue(architecture, adapter.targets, adapter.horizon, adapter.channels, levels)
        case EmbeddedTokens():
            return TokenEmbedding(architecture, adapter.tokens, adapter.width, adapter.padding)
    return architecture
