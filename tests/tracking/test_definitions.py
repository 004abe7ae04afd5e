"""Whether a metric means the same in several trainings, by the settings that define it."""

from typing import Any

import pytest

from lab.tracking.reading.definitions import defining, differing

SETTINGS = ("loss.kind", "loss.delta", "metrics.kappa", "metrics.loss", "optimizer.lr", "lossy.kind")


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("val/loss", ["loss.kind", "loss.delta"]),
        ("test_loss_epoch", ["loss.kind", "loss.delta"]),
        ("val/kappa", ["metrics.kappa"]),
        ("val/accuracy", []),
    ],
)
def test_a_loss_is_defined_by_its_section_and_a_metric_by_its_own_setting(metric: str, expected: list[str]) -> None:
    assert defining(metric, SETTINGS) == expected


@pytest.mark.parametrize(
    ("trainings", "expected"),
    [
        (({"loss.kind": "mse"}, {"loss.kind": "l1"}), "loss.kind"),
        (({"loss.kind": "huber", "loss.delta": "1"}, {"loss.kind": "huber", "loss.delta": 1.0}), ""),  # stored as text
        (({"loss.kind": "huber", "loss.delta": "2"}, {"loss.kind": "huber", "loss.delta": 1.0}), "loss.delta"),
        (({"loss.kind": "huber"}, {"loss.kind": "huber", "loss.delta": 1.0}), ""),  # which is the default
        (({"loss.kind": "huber"}, {"loss.kind": "huber", "loss.delta": 2.0}), "loss.delta"),
        (({"loss.kind": "my.loss:Loss"}, {"loss.kind": "my.loss:Loss", "loss.delta": 2.0}), ""),  # unknown default
        (({"loss.kind": "l1", "optimizer.lr": 0.1}, {"loss.kind": "l1", "optimizer.lr": 0.2}), ""),
        (({}, {}), ""),
        ((), ""),
    ],
)
def test_a_loss_means_something_else_where_a_setting_of_it_differs(
    trainings: tuple[dict[str, Any], ...], expected: str
) -> None:
    assert differing("val/loss", trainings) == expected
    assert differing("val/accuracy", trainings) == ""
