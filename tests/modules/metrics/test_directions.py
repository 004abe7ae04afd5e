"""Every metric that the lab ships falls or rises, as it says, when predictions get worse; torchmetrics' do as well."""

import contextlib
import inspect
from collections.abc import Iterator

import pytest
import torch
import torchmetrics.classification
import torchmetrics.regression
from modules.made_modules import scores, task
from torch import Tensor, nn
from torchmetrics import Metric

from lab.config.sections import Part
from lab.data.preparation import Scale
from lab.data.sizes import Sizes
from lab.errors import LabError
from lab.modules.metrics.own_metrics import build_all
from lab.modules.tasks.classification import ClassificationModule
from lab.modules.tasks.language import LanguageModule
from lab.modules.tasks.multilabel import MultilabelModule
from lab.modules.tasks.ordinal import OrdinalLoss, OrdinalModule, cumulative_logits
from lab.modules.tasks.quantiles import QuantileForecasting, QuantileLoss, QuantileRegression
from lab.modules.tasks.regression import ForecastingModule, RegressionModule
from lab.modules.tasks.task import TaskModule
from lab.tracking.reading import directions

SAMPLES = 600
NAMES = ["a", "b", "c"]
LEVELS = (0.1, 0.5, 0.9)
SCALE = Scale(torch.tensor([2.0, 5.0]), torch.tensor([3.0, 0.5]))
COLUMNS = {"mass": slice(0, 1), "length": slice(1, 2)}
ONE = {"target_scale": Scale(SCALE.mean[:1], SCALE.std[:1]), "columns": {"mass": slice(0, 1)}}
TWO = {"target_scale": SCALE, "columns": COLUMNS}

random = torch.Generator().manual_seed(0)
noise = torch.randn(SAMPLES, 3, generator=random)
y = torch.randint(3, (SAMPLES,), generator=random)
two = torch.randint(2, (SAMPLES,), generator=random)
labels = torch.randint(2, (SAMPLES, 3), generator=random)
tokens = torch.randint(3, (SAMPLES, 4), generator=random)
values = torch.randn(SAMPLES, 2, generator=random)
before = torch.randn(SAMPLES, 2, 1, generator=random)  # the last values of two series


def logits_of(classes: Tensor, noisy: Tensor, quality: float) -> Tensor:
    return 5 * quality * nn.functional.one_hot(classes, 3).float() + noisy


def quantiles_of(truth: Tensor, quality: float) -> Tensor:
    """Three quantiles of each target that are the further off the worse they are."""
    off = (1 - quality) * noise[:, : truth.shape[1]]
    return torch.cat([truth + off - 0.3, truth + off, truth + off + 0.3], 1)


TASKS = {
    "two classes": lambda: ClassificationModule(2, 0, NAMES[:2], **task(nn.BCEWithLogitsLoss())),
    "a threshold": lambda: ClassificationModule(2, 0, NAMES[:2], threshold=0.4, **task(nn.BCEWithLogitsLoss())),
    "classes": lambda: ClassificationModule(3, 0, NAMES, **task(nn.CrossEntropyLoss())),
    "labels": lambda: MultilabelModule(NAMES, [1, 1, 1], 3, **task(nn.BCEWithLogitsLoss())),
    "ordered": lambda: OrdinalModule(NAMES, [1, 1, 1], **task(OrdinalLoss())),
    "tokens": lambda: LanguageModule(torch.ones(3), **task(nn.CrossEntropyLoss())),
    "values": lambda: RegressionModule(**ONE, **task(nn.MSELoss())),
    "several": lambda: RegressionModule(**TWO, **task(nn.HuberLoss())),
    "forecast": lambda: ForecastingModule(**TWO, **task(nn.L1Loss())),
    "quantiles": lambda: QuantileRegression(levels=LEVELS, **ONE, **task(QuantileLoss(LEVELS))),
    "forecast quantiles": lambda: QuantileForecasting(levels=LEVELS, **TWO, **task(QuantileLoss(LEVELS))),
}
WITHOUT = {"coverage", "width"}  # neither more nor less is better


def predicted(name: str, quality: float) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Raw outputs of some quality, from 0 to 1, and the samples; bad ones are wrong, and sure of themselves."""
    noisy = (5 - 4 * quality) * noise
    match name:
        case "two classes" | "a threshold":
            return 3 * quality * (2.0 * two[:, None] - 1) + noisy[:, :1], (noise, two)
        case "classes":
            return logits_of(y, noisy, quality), (noise, y)
        case "labels":
            return 3 * quality * (2.0 * labels - 1) + noisy, (noise, labels)
        case "ordered":
            return cumulative_logits(logits_of(y, noisy, quality)), (noise, y)
        case "tokens":
            return logits_of(tokens, noisy[:, None], quality).transpose(1, 2), (noise, tokens)
        case "values" | "several" | "forecast":
            truth = values[:, : 1 if name == "values" else 2]
            return truth + (1 - quality) * noise[:, : truth.shape[1]], (before, truth)
        case _:
            truth = values[:, : 1 if name == "quantiles" else 2]
            return quantiles_of(truth, quality), (before, truth)


def measured(module: TaskModule, name: str, quality: float) -> dict[str, float]:
    """The loss and all metrics, those of the test too."""
    module.new_metrics = lambda split="test", real=module.new_metrics: real("test")  # type: ignore[misc]
    return scores(module, *predicted(name, quality), size=100)


@pytest.mark.parametrize("name", TASKS)
def test_a_metric_of_a_task_gets_worse_with_the_predictions_in_the_direction_that_is_recorded(name: str) -> None:
    good, bad = (measured(TASKS[name](), name, quality) for quality in (0.9, 0.2))
    module = TASKS[name]()
    said = module.directions() | {full.removeprefix("test/"): up for full, up in module.test_directions().items()}
    assert {metric for metric in good if not metric.startswith(tuple(WITHOUT))} == said.keys()
    assert {metric: good[metric] > bad[metric] for metric in said} == said
    assert said.get(module.main_metric) is True


@pytest.mark.parametrize("name", TASKS)
def test_the_names_of_the_lab_are_known_where_no_run_says_their_direction(name: str) -> None:
    said = TASKS[name]().directions()
    whole = {metric: up for metric, up in said.items() if not metric.endswith(tuple(COLUMNS))}  # not of one target
    assert {metric: directions.higher_is_better(f"val/{metric}", {}) for metric in whole} == whole


def of_torchmetrics() -> Iterator[tuple[str, type[Metric]]]:
    for module in (torchmetrics.classification, torchmetrics.regression):
        for name, found in sorted(vars(module).items()):
            if inspect.isclass(found) and issubclass(found, Metric) and found.higher_is_better is not None:
                yield name, found


SIZES = {
    "two classes": Sizes((3,), classes=2, out_features=1),
    "classes": Sizes((3,), classes=3, out_features=3),
    "labels": Sizes((3,), labels=3, out_features=3),
    "values": Sizes((3,), out_features=1),
}


def own(name: str, kind: str, quality: float) -> float:
    """What a metric of torchmetrics says, as an experiment names it."""
    (metric,) = build_all({"mine": Part("metrics", kind, {})}, SIZES[name]).values()
    outputs, batch = predicted(name, quality)
    scored = TASKS[name]().scored(outputs, batch)
    metric.update(scored["preds"], scored["target"])
    return float(metric.compute())


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.filterwarnings("ignore")
def test_metrics_of_torchmetrics_that_fit_a_task_have_the_direction_they_declare(name: str) -> None:
    part = torchmetrics.regression if name == "values" else torchmetrics.classification
    shown, declared = {}, {}
    for kind, found in of_torchmetrics():
        with contextlib.suppress(LabError, ValueError, TypeError, RuntimeError):  # they do not fit, and are refused
            good, bad = (own(name, f"{part.__name__}:{kind}", quality) for quality in (0.9, 0.2))
            if good != bad:
                shown[kind], declared[kind] = good > bad, found.higher_is_better
    assert shown == declared
    assert len(shown) >= 13
