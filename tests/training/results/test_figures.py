"""The figures of a run show what they are given."""

import itertools
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from lab.training.results import figures

NAMES = ("loss", "accuracy")


def history(epochs: int) -> list[dict[str, float]]:
    return [
        {"epoch": epoch, **{f"{split}/{name}": epoch / 10 for split in ("train", "val") for name in NAMES}}
        for epoch in range(1, epochs + 1)
    ]


def test_learning_curves_have_a_plot_for_each_metric_and_mark_the_best_epoch() -> None:
    figure = figures.learning_curves(history(3), best_epoch=2)
    assert [axes.get_title() for axes in figure.axes] == list(NAMES)
    for axes in figure.axes:
        train, val, best = axes.lines
        assert list(train.get_xdata()) == [1, 2, 3]
        assert list(val.get_ydata()) == [0.1, 0.2, 0.3]
        assert list(best.get_xdata()) == [2, 2]
    (legend,) = (axes.get_legend() for axes in figure.axes if axes.get_legend())
    assert [text.get_text() for text in legend.get_texts()] == ["train", "val", "best, 2"]


@pytest.mark.parametrize(("epochs", "marker"), [(1, "."), (2, "None")])
def test_a_single_epoch_is_seen(epochs: int, marker: str) -> None:
    (axes, _) = figures.learning_curves(history(epochs), best_epoch=1).axes
    assert [str(line.get_marker()) for line in axes.lines[:2]] == [marker, marker]


def test_epochs_are_whole_numbers() -> None:
    figure = figures.learning_curves(history(2), best_epoch=1)
    figure.savefig(BytesIO())
    assert all(tick == round(tick) for axes in figure.axes for tick in axes.get_xticks())


def test_a_metric_of_validation_alone_has_one_curve_and_training_alone_has_its_loss() -> None:
    (axes,) = figures.learning_curves([{"epoch": 1, "val/loss": 0.5}, {"epoch": 2, "val/loss": 0.4}], 2).axes
    assert [line.get_label() for line in axes.lines] == ["val", "best, 2"]
    first, second = figures.learning_curves([{"epoch": 1, "val/loss": 0.5, "val/f1": 0.5, "train/f1": 0.4}], 1).axes
    assert first.get_legend() is None
    assert second.get_legend() is not None  # it has all that there is
    (axes,) = figures.learning_curves([{"epoch": 1, "train/loss": 0.5}, {"epoch": 2, "train/loss": 0.4}], 2).axes
    assert [line.get_label() for line in axes.lines] == ["train", "best, 2"]


def test_a_confusion_matrix_has_every_count_but_zeros_readable_on_its_shade() -> None:
    (axes,) = figures.confusion_matrix(np.array([[9, 1], [0, 20]]), ["a", "long name"]).axes
    written = {text.get_position(): (text.get_text(), to_hex(text.get_color())) for text in axes.texts}
    assert written == {(0, 0): ("9", "#ffffff"), (1, 0): ("1", "#000000"), (1, 1): ("20", "#ffffff")}
    assert np.asarray(axes.images[0].get_array()).tolist() == [[0.9, 0.1], [0.0, 1.0]]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["a", "long name"]
    assert axes.get_xticklabels()[0].get_rotation() == 45


def test_a_class_that_the_test_split_lacks_is_a_row_of_zeros() -> None:
    (axes,) = figures.confusion_matrix(np.array([[2, 0], [0, 0]]), ["a", "b"]).axes
    assert np.asarray(axes.images[0].get_array()).tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_a_label_without_precision_has_no_bar() -> None:
    scores = {"labels": ["a", "b"], "samples": [1200, 0], "precision": [0.5, None], "recall": [1.0, None]}
    (axes,) = figures.label_bars(scores).axes
    assert [[bar.get_height() for bar in group] for group in axes.containers] == [[0.5, 0.0], [1.0, 0.0]]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["a\n1,200", "b\n0"]


def test_values_are_drawn_beside_the_line_on_which_they_are_right() -> None:
    predicted, true = np.array([[1.0], [4.0]]), np.array([[2.0], [3.0]])
    (axes,) = figures.predicted_against_true(predicted, true, [("0.1 to 0.9", predicted - 1, predicted + 1)]).axes
    points, line = axes.lines
    assert list(zip(points.get_xdata(), points.get_ydata(), strict=True)) == [(2.0, 1.0), (3.0, 4.0)]
    assert list(line.get_xdata()) == list(line.get_ydata()) == [1.0, 4.0]
    assert [segment.tolist() for segment in axes.collections[0].get_segments()] == [[[2, 0], [2, 2]], [[3, 3], [3, 5]]]


TRUE = np.arange(8.0).reshape(4, 2)  # of windows of two steps that begin a step apart, every second one is drawn
BAND = ("0.1 to 0.9", TRUE - 1, TRUE + 1)
COLUMNS = {"y": slice(0, 2), "z": slice(2, 4)}


def test_forecasts_follow_each_other_without_overlap() -> None:
    (axes,) = figures.forecast(TRUE, TRUE + 0.5, [BAND], {"y": slice(0, 2)}).axes
    known, predicted, *begins = axes.lines
    assert list(known.get_ydata()) == [0, 1, 4, 5]
    assert list(predicted.get_ydata()) == [0.5, 1.5, 4.5, 5.5]
    assert [list(line.get_xdata()) for line in begins] == [[0.5, 0.5], [2.5, 2.5]]
    assert axes.get_ylabel() == "y"


def test_a_forecast_of_one_step_has_no_beginnings() -> None:
    (axes,) = figures.forecast(TRUE[:, :1], TRUE[:, :1], [], {"y": slice(0, 1)}).axes
    assert [line.get_label() for line in axes.lines] == ["true", "predicted"]


@pytest.mark.parametrize("beside", [[], [BAND]])
def test_an_interval_is_a_band_alone_and_two_lines_beside_quantiles(beside: list[figures.Band]) -> None:
    bands = [("interval 0.9", TRUE - 2, TRUE + 2), *beside]
    (axes,) = figures.forecast(TRUE, TRUE, bands, {"y": slice(0, 2)}).axes
    assert len(axes.collections) == 1
    assert sum(line.get_linestyle() == "--" for line in axes.lines) == 2 * len(beside)


@pytest.mark.parametrize(
    "drawn",
    [
        lambda: figures.learning_curves(history(3), 2),
        lambda: figures.confusion_matrix(np.array([[9, 1], [0, 20]]), ["a", "a name as long as this"]),
        lambda: figures.label_bars({"labels": ["a name as long as this", "b"], "samples": [3, 4], "f1": [0.5, 1.0]}),
        lambda: figures.predicted_against_true(TRUE, TRUE, [BAND]),
        lambda: figures.forecast(np.hstack([TRUE, TRUE]), np.hstack([TRUE, TRUE]), [], COLUMNS),
    ],
    ids=["curves", "matrix", "labels", "values", "forecast"],
)
def test_nothing_is_cut_off_and_plots_beside_or_below_each_other_do_not_overlap(drawn: Callable[[], Figure]) -> None:
    figure = drawn()
    figure.savefig(BytesIO())
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert all(figure.bbox.padded(1).fully_contains(*corner) for box in boxes for corner in box.corners())
    assert not any(a.fully_overlaps(b) for a, b in itertools.pairwise(boxes))
