"""A report is one small file without JavaScript: text, verdict, pictures that hold every line, tables and links."""

import numpy as np
import pandas as pd
import pytest
from made_runs import EVIL

from dashboard import text
from dashboard.compare import report
from dashboard.compare.report import Report
from dashboard.figures import drawing
from dashboard.figures.chart import Chart
from dashboard.figures.curves import ColourBar, Line, curve_chart
from dashboard.figures.parallel import parallel_coordinates
from dashboard.figures.scatter import scatter
from dashboard.outcome.class_charts import confusion_matrix

LIMIT = 1_500_000  # bytes


def noisy_curves(amount: int) -> Chart:
    random = np.random.default_rng(0)
    data = [pd.DataFrame({"x": np.arange(1000.0), "y": random.normal(size=1000)}) for _ in range(amount)]
    return curve_chart([Line(f"run {number}", each, number) for number, each in enumerate(data)], "loss", "step")


def test_it_says_all_that_it_was_given() -> None:
    chart = curve_chart([Line("a", pd.DataFrame({"x": [1.0, 2], "y": [3.0, 0.5]}), 0)], "val/loss", "step")
    said = Report(
        "title",
        [("curves", chart)],
        [("Results", pd.DataFrame({"loss": [0.123456]}))],
        ["not fair"],
        "my words",
        ["a is better than b"],
        [("a run", "http://127.0.0.1:8501/run?run=12345678")],
    )
    page = report.to_html(said)
    for part in ("my words", "a is better than b", "not fair", "<svg", "val/loss", "0.12346", "run?run=12345678"):
        assert part in page
    assert "<script" not in page
    assert report.values_of(chart.table).to_dict("records") == [
        {"curve": "a", "points": 2, "first": 3.0, "lowest": 0.5, "highest": 3.0, "last": 0.5}
    ]


def test_all_text_is_escaped() -> None:
    chart = curve_chart([Line(EVIL, pd.DataFrame({"x": [1.0], "y": [1.0]}), 0)], EVIL, "step")
    tables = [("table", pd.DataFrame({EVIL: [EVIL]}))]
    page = report.to_html(Report(EVIL, [(EVIL, chart)], tables, [EVIL], EVIL, [EVIL], [(EVIL, EVIL)]))
    assert "<img src=x" not in page
    assert 'src="http' not in page


def test_twenty_noisy_runs_and_two_metrics_stay_below_the_limit() -> None:
    charts = [(metric, noisy_curves(20)) for metric in ("val/loss", "train/loss")]
    assert len(report.to_html(Report("t", charts, [])).encode()) < LIMIT


def test_a_picture_shows_each_line_in_its_colour_and_names_it_as_it_is() -> None:
    lines = [Line("rate $0.1$ <a> 漢字", pd.DataFrame({"x": [1.0, 2, 3], "y": [1.0, np.nan, 3]}), 0)]
    svg = drawing.to_svg(curve_chart(lines, "loss", "step", log=True).figure)
    assert "#0080c8" in svg
    assert "rate $0.1$ &lt;a&gt; 漢字" in svg


def test_a_scale_of_colours_has_its_bar_and_no_legend() -> None:
    lines = [Line(f"line {n}", pd.DataFrame({"x": [1.0, 2], "y": [n, n]}), n, shade=n / 11) for n in range(12)]
    svg = drawing.to_svg(curve_chart(lines, "loss", "step", bar=ColourBar("optimizer.lr", 0.0, 1.0)).figure)
    assert "optimizer.lr" in svg
    assert "line 3" not in svg


def test_matrices_and_points_are_drawn_and_other_pictures_are_named() -> None:
    matrix = confusion_matrix(np.array([[3, 1], [0, 4]]), ["a<b", "c"])
    points = scatter(
        pd.DataFrame({"x": [1.0, 2.0], "y": [2.0, 1.0]}), "lr", "loss", ["a", "b"], np.array([True, False])
    )
    assert all(drawing.to_svg(chart.figure).startswith("<svg") for chart in (matrix, points))
    other = parallel_coordinates(pd.DataFrame({"lr": [0.1, 0.2], "loss": [1.0, 2.0]}), "loss")
    assert not drawing.can_draw(other.figure)
    assert "in the dashboard only" in report.to_html(Report("t", [("parallel", other)], []))


@pytest.mark.parametrize(("cell", "shown"), [("a_b & 5 %", r"a\_b \& 5 \%"), (0.123456, "0.1235"), (None, "")])
def test_a_table_as_latex(cell: object, shown: str) -> None:
    latex = text.latex(pd.DataFrame({"x": [cell]}))
    assert latex.startswith("\\begin{tabular}")
    assert f"{shown} \\\\" in latex
