from typing import Literal

import pytest

from lab.config import schema
from lab.config.sections import early_stopping
from lab.config.types import PositiveFloat, PositiveInt, Probability


class Net:
    def __init__(
        self,
        classes: int,
        width: PositiveInt,
        dropout: Probability = 0.0,
        activation: Literal["relu", "tanh"] = "relu",
        widths: tuple[int, ...] = (1, 2),
        scale: PositiveFloat | None = None,
        model_name: str = "net",
    ): ...


def errors(**settings: object) -> list[str]:
    return schema.check(Net, settings, "model", ("classes",))


def test_settings_that_fit_the_signature_pass() -> None:
    assert errors(width=3, dropout=0, activation="tanh", widths=[3, 4], scale=None, model_name="x") == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widht": 1, "width": 3}, "model.widht: no such setting; did you mean model.width"),
        ({}, "model.width: is required"),
        ({"width": "3"}, "model.width: must be a whole number, not '3'"),
        ({"width": 3.5}, "model.width: must be a whole number, not 3.5"),
        ({"width": True}, "model.width: must be a whole number, not true"),
        ({"width": 0}, "model.width: must be at least 1, not 0"),
        ({"width": 3, "dropout": 1.0}, "model.dropout: must be less than 1, not 1.0"),
        ({"width": 3, "dropout": float("nan")}, "model.dropout: must be a finite number, not nan"),
        ({"width": 3, "activation": "rellu"}, "model.activation: must be relu or tanh, not 'rellu'"),
        ({"width": 3, "scale": -1.0}, "model.scale: must be greater than 0, not -1.0"),
        ({"width": 3, "widths": 4}, "model.widths: must be a list, not 4"),
        ({"width": 3, "classes": 4}, "model.classes: no such setting"),
        ({"width": None}, "model.width: must be a whole number, not null"),
    ],
)
def test_each_error_is_one_line_with_its_path(settings: dict[str, object], message: str) -> None:
    (line,) = errors(**settings)
    assert line.startswith(message)


def test_all_errors_are_reported_at_once() -> None:
    assert len(errors(width=0, dropout=2.0, colour="red")) == 3


def test_defaults_are_those_of_the_signature() -> None:
    assert schema.defaults(Net, ("classes",)) == {
        "dropout": 0.0,
        "activation": "relu",
        "widths": [1, 2],
        "scale": None,
        "model_name": "net",
    }


def test_types_are_checked_although_another_annotation_is_for_type_checkers_alone() -> None:
    assert schema.check(early_stopping, {"patience": -3, "monitor": 7}, "early_stopping", ("higher_is_better",)) == [
        "early_stopping.monitor: must be text, not 7",
        "early_stopping.patience: must be at least 1, not -3",
    ]
