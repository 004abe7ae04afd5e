"""Where a prediction is NaN no metric is a number: a class, a no or a rank would be read from it, and look like one."""

import math

import pytest
import torch
from modules.made_modules import batches, scores
from modules.metrics.test_directions import TASKS, predicted

from lab.modules.metrics.epoch_scores import EpochScores

SIZE = 64


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("share", ["one sample", "all"])
def test_every_metric_of_predictions_that_are_nan_is_nan(name: str, share: str) -> None:
    outputs, samples = predicted(name, 0.9)
    outputs[: 1 if share == "one sample" else None] = math.nan
    module = TASKS[name]()
    found = scores(module, outputs, samples, SIZE)
    assert {metric for metric, value in found.items() if math.isnan(value)} == found.keys()
    parts = iter(outputs.split(SIZE))
    again = module.score_outputs(lambda x: next(parts), batches(samples, SIZE))
    assert {metric for metric, value in again.items() if math.isnan(value)} == found.keys() - {"loss"}
    module.test_outputs = [module.scored(outputs, samples)]
    assert module.test_intervals(1) == {}


@pytest.mark.parametrize("name", TASKS)
def test_the_next_epoch_begins_anew(name: str) -> None:
    module = TASKS[name]()
    collected = EpochScores(module.new_metrics())
    for broken in (True, False):
        outputs, samples = predicted(name, 0.9)
        if broken:
            outputs[-1] = math.nan
        collected.add([torch.tensor(1.0)], [1.0], module.scored(outputs, samples))
        assert all(math.isnan(value) == broken for metric, value in collected.compute().items() if metric != "loss")


def test_an_epoch_that_is_resumed_remembers_it() -> None:
    module = TASKS["classes"]()
    outputs, samples = predicted("classes", 0.9)
    first, second = (EpochScores(module.new_metrics()) for _ in range(2))
    first.add([torch.tensor(1.0)], [1.0], module.scored(outputs * math.nan, samples))
    first._flush()
    second.load_state_dict(first.state_dict(), torch.device("cpu"))
    second.add([torch.tensor(1.0)], [1.0], module.scored(outputs, samples))
    assert math.isnan(second.compute()["accuracy"])
