"""Hyperparameters of any kind as settings."""

import functools
import json
from argparse import Namespace
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lab.tracking.lightning_logger.hyperparameters import flatten


class Colour(Enum):
    RED = 1


@dataclass
class Net:
    width: int
    norm: str | None = None


class Plain:
    """An object whose text holds its address."""


def test_nested_settings_get_dotted_names() -> None:
    nested = {"net": Net(3), "args": Namespace(lr=0.1, deep={"x": {5: True}}), "blocks": [{"k": 3}, {"k": 5}]}
    assert flatten(nested) == {
        "net.width": 3,
        "net.norm": None,
        "args.lr": 0.1,
        "args.deep.x.5": True,
        "blocks.0.k": 3,
        "blocks.1.k": 5,
    }
    assert flatten(Namespace(lr=0.1)) == {"lr": 0.1}
    assert flatten(None) == {}
    assert flatten({"_class_path": "x", "_instantiator": "y", "_target_": "z"}) == {"_target_": "z"}


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (Colour.RED, "RED"),
        (np.float64(0.5), 0.5),
        (torch.tensor(3), 3),
        (torch.tensor([1.0, 2.0]), [1.0, 2.0]),
        (np.arange(100), list(range(100))),
        (np.zeros((101, 1)), "ndarray of shape (101, 1)"),
        (torch.zeros(2, 51), "Tensor of shape (2, 51)"),
        ((1, "a", None, Path("x")), [1, "a", None, "x"]),
        ({"b", "a"}, ["a", "b"]),
        ([], []),
        ([{"k": 1}, 2], ["{'k': 1}", 2]),
        (nn.ReLU, "torch.nn.modules.activation.ReLU"),
        (nn.ReLU(), "ReLU()"),
        (torch.float16, "torch.float16"),
        (functools.partial(nn.Linear, 3, bias=False), "torch.nn.modules.linear.Linear(3, bias=False)"),
    ],
)
def test_values_are_json_or_text(value: Any, stored: Any) -> None:
    assert flatten({"x": value}) == {"x": stored}
    json.dumps(stored)


def test_no_address_makes_two_runs_differ() -> None:
    first, second = Plain(), Plain()
    assert str(first) != str(second)
    assert flatten({"x": first}) == flatten({"x": second})


def test_names_that_mlflow_refuses_are_changed() -> None:
    assert flatten({"a=b": {"c,d": 1}}) == {"a_b.c_d": 1}
