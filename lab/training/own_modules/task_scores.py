"""How well a user's own module does at the task of the data, so that its test can be compared with baselines.

A metric that a module logs is its own affair: `accuracy` may be that of each class, of a batch, or of something else.
So the outputs of the module are measured once more with the metrics of the task. Only what comes out the same is
compared with what the baselines have.
"""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from lab.config.experiment import Experiment
from lab.data.base import DataModule
from lab.data.lightning_data import LightningData
from lab.data.loaders import Batch
from lab.data.sizes import Sizes
from lab.modules.metrics.epoch_scores import measured
from lab.modules.tasks.regression import RegressionModule
from lab.modules.tasks.task import TaskModule
from lab.training.task_modules import task_module

# Other names of the metrics of the tasks.
ALIASES = {
    "accuracy": ("accuracy", "acc"),
    "balanced_accuracy": ("balanced_accuracy", "balanced_acc", "accuracy", "acc"),
    "f1": ("f1", "f1_score", "f1_macro", "macro_f1"),
    "auroc": ("auroc", "auc", "roc_auc"),
    "r2": ("r2", "r2_score", "r2score"),
    "rmse": ("rmse",),
    "mae": ("mae",),
}
IN_UNITS = ("rmse", "mae")  # a module may log them in standardised units, as its batches have them
SAME = 1e-3  # relative difference between two measurements of the same thing


class TaskScores:
    """The metrics of the task for a user's module: `task` is the module of the task around its `forward`.

    `names` are those under which the module logs metrics of the task, by the task's names; once `compare` has seen
    the test, only those that agree, with the factor between their units in `factors`.
    """

    def __init__(self, task: TaskModule, names: Mapping[str, str]):
        self.task = task
        self.names = dict(names)
        self.factors = dict.fromkeys(names, 1.0)
        self.note = ""

    @property
    def main_metric(self) -> str:
        """The name of the metric by which the result is compared, the task's own if it is logged; "" for none."""
        chosen = self.task.main_metric if self.task.main_metric in self.names else next(iter(self.names), "")
        return self.names.get(chosen, "")

    def directions(self) -> dict[str, bool]:
        """Whether higher is better, for the names of the module."""
        known = self.task.directions()
        return {name: known[metric] for metric, name in self.names.items() if metric in known}

    def compare(self, tested: Mapping[str, float], batches: Iterable[Batch]) -> None:
        """Keep the metrics that the module has `tested`, by full name, which are those of its outputs."""
        scored = self._outputs(batches)
        own, logged = measured(self.task.new_metrics(), scored), dict(self.names)
        found = {metric: self._factor(metric, tested.get(f"test/{name}"), own) for metric, name in logged.items()}
        self.factors = {metric: factor for metric, factor in found.items() if factor is not None}
        self.names = _each_once({metric: logged[metric] for metric in self.factors})
        self.task.test_outputs = scored
        if not self.names:
            metric, name = next(iter(logged.items()))
            self.note = (
                f"none: the module logs test/{name} {tested.get(f'test/{name}', math.nan):.4g}, "
                f"but the {metric} of its outputs over all test samples is {own[metric]:.4g}"
            )

    def _outputs(self, batches: Iterable[Batch]) -> list[dict[str, Tensor]]:
        with torch.no_grad():
            self.task.eval()
            return [self.task.scored(self.task(batch[0]), batch) for batch in batches]

    def _factor(self, metric: str, tested: float | None, own: Mapping[str, float]) -> float | None:
        """What the task's value is multiplied by to be the module's; None where they are not the same."""
        units = [1.0]
        if metric in IN_UNITS and isinstance(self.task, RegressionModule) and len(self.task.target_scale.std) == 1:
            units.append(1 / float(self.task.target_scale.std))
        same = (each for each in units if math.isclose(own[metric] * each, tested or 0.0, rel_tol=SAME, abs_tol=1e-6))
        return next(same, None)

    def trivial(self, batches: Iterable[Batch]) -> dict[str, float]:
        """The metrics of the trivial baseline, under the module's names."""
        return self.renamed(self.task.score_trivial(batches)) if self.names else {}

    def renamed(self, values: Mapping[str, float]) -> dict[str, float]:
        """Values of the task's metrics, perhaps with a split, as the module logs them."""
        found = {}
        for name, value in values.items():
            split, _, metric = name.rpartition("/")
            if metric in self.names:
                found["/".join(filter(None, (split, self.names[metric])))] = value * self.factors[metric]
        return found

    def intervals(self, correlated: int) -> dict[str, tuple[float, float]]:
        """The interval of each metric in the test, by full name; `correlated` neighbouring samples are alike."""
        found = self.task.test_intervals(correlated) if self.names else {}
        ends = [self.renamed({name: pair[end] for name, pair in found.items()}) for end in (0, 1)]
        return {name: (ends[0][name], ends[1][name]) for name in ends[0]}


def of_module(experiment: Experiment, data: DataModule, module: nn.Module, logged: Iterable[str]) -> TaskScores | None:
    """The scores of a module that logs these metrics in its test, without the split.

    None where it logs no metric of the task, or gives no outputs of the task's shape.
    """
    if isinstance(data, LightningData) or not _has_outputs(data, module):
        return None
    task = task_module(experiment, data, _Outputs(module, data.sizes))
    metrics, logged = task.new_metrics(), set(logged)
    names = {
        str(metric): name for metric in metrics for name in ALIASES.get(str(metric), (str(metric),)) if name in logged
    }
    return TaskScores(task, names) if names else None


def _each_once(names: Mapping[str, str]) -> dict[str, str]:
    """Where several metrics of the task agree with one that is logged, the first of them."""
    found: dict[str, str] = {}
    for metric, name in names.items():
        if name not in found.values():
            found[metric] = name
    return found


def _has_outputs(data: DataModule, module: nn.Module) -> bool:
    """Whether the module, called with two samples, gives what a network of the lab would give for this data."""
    training, sizes = module.training, data.sizes
    try:
        with torch.no_grad():
            outputs = _Outputs(module.eval(), sizes)(data.first_samples(2))
    except Exception:  # it takes something else, and says what it measures of it by itself
        return False
    finally:
        module.train(training)
    return isinstance(outputs, Tensor) and tuple(outputs.shape) == (2, sizes.raw_outputs, *sizes.positions)


class _Outputs(nn.Module):
    """A user's module as a network: what its `forward` gives, in the shape that the task has."""

    def __init__(self, module: nn.Module, sizes: Sizes):
        super().__init__()
        self.module = module
        self.sizes = sizes

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to raw outputs (N, out_features).

        The two logits of two classes are one here, their difference; values (N,) are (N, 1).
        """
        weight = next((p for p in self.module.parameters() if p.is_floating_point()), x)
        outputs: Tensor = self.module(x.to(weight.dtype) if x.is_floating_point() else x)
        if self.sizes.raw_outputs == 1 and outputs.ndim == 1:
            return outputs.float().unsqueeze(1)
        if self.sizes.classes == 2 and outputs.ndim == 2 and outputs.shape[1] == 2:
            return (outputs[:, 1:] - outputs[:, :1]).float()
        return outputs.float()
