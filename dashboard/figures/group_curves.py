"""The curves of groups of runs: cropped, smoothed, and as a mean with its confidence band. No Streamlit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from dashboard.compare.comparison import CurveOptions, Group
from dashboard.figures import curve_math
from dashboard.figures.chart import Chart
from dashboard.figures.curves import ColourBar, Line, curve_chart

MAX_RAW_LINES = 12  # with more, the curves before smoothing are not drawn
CONFIDENCE = 0.95
RESAMPLED_POINTS = 200


def group_chart(
    run_curves: Mapping[str, pd.DataFrame],
    groups: Sequence[Group],
    metric: str,
    options: CurveOptions,
    values: Mapping[str, float] | None = None,
) -> Chart:
    """The curves of one metric: of a group with one run its curve, of others the mean with a confidence band.

    `values` are those of `options.colour_by` by label, from which the groups take their colours.
    """
    lines = group_lines(run_curves, groups, options)
    chart = _coloured(lines, metric, options, values)
    ends = (
        curve_math.robust_range(np.concatenate([line.data["y"] for line in lines]))
        if options.robust and lines
        else None
    )
    if ends is None:
        return chart
    chart.figure.update_yaxes(range=np.log10(ends) if options.log and ends[0] > 0 else ends)
    return replace(chart, notes=(*chart.notes, "the y range leaves out outliers"))


def _coloured(lines: Sequence[Line], metric: str, options: CurveOptions, values: Mapping[str, float] | None) -> Chart:
    """The curves in their own colours, or in those of a scale."""
    finite = [value for value in (values or {}).values() if np.isfinite(value)]
    if not finite:
        return curve_chart(lines, metric, options.axis, options.log)
    bar = ColourBar(options.colour_by, min(finite), max(finite))
    shades = _shades(values or {}, bar)
    shaded = [replace(line, shade=shades.get(line.label.rpartition(" (n=")[0] or line.label)) for line in lines]
    return curve_chart(shaded, metric, options.axis, options.log, bar)


def _shades(values: Mapping[str, float], bar: ColourBar) -> dict[str, float]:
    """The place of each value between the lowest and the highest, 0 to 1."""
    span = (bar.high - bar.low) or 1.0
    return {label: (value - bar.low) / span for label, value in values.items() if np.isfinite(value)}


def group_lines(run_curves: Mapping[str, pd.DataFrame], groups: Sequence[Group], options: CurveOptions) -> list[Line]:
    """A line for each group that has a curve in the x range."""
    lines = []
    for style, group in enumerate(groups):
        parts = [_crop(run_curves[run], options.x_range) for run in group.ids if run in run_curves]
        parts = [part for part in parts if len(part)]
        if not parts:
            continue
        smoothed = [
            part.assign(y=curve_math.smooth(part["y"].to_numpy(), options.smoothing, options.smooth_by))
            for part in parts
        ]
        if len(group.ids) > 1:
            label = f"{group.label} (n={len(parts)})"
            lines.append(Line(label, mean_with_band(resample_to_common_x(smoothed)), style))
        else:
            raw = parts[0] if options.smoothing > 0 and len(groups) <= MAX_RAW_LINES else None
            lines.append(Line(group.label, smoothed[0], style, raw))
    return lines


def _crop(curve: pd.DataFrame, x_range: tuple[float, float] | None) -> pd.DataFrame:
    return curve if x_range is None else curve[curve["x"].between(*x_range)].reset_index(drop=True)


def x_range(run_curves: Mapping[str, pd.DataFrame]) -> tuple[float, float]:
    """The smallest and the largest x of the curves; (0, 0) if there are none."""
    ends = [(curve["x"].min(), curve["x"].max()) for curve in run_curves.values() if len(curve)]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else (0.0, 0.0)


def resample_to_common_x(curves: Sequence[pd.DataFrame], points: int = RESAMPLED_POINTS) -> list[pd.DataFrame]:
    """Curves interpolated to common x values where theirs differ (wall times do), each within its own range.

    Curves over whole numbers (steps, epochs) are returned unchanged.
    """
    if all(len(curve) == len(curves[0]) and np.array_equal(curve["x"], curves[0]["x"]) for curve in curves):
        return list(curves)
    if all((curve["x"] == curve["x"].round()).all() for curve in curves):
        return list(curves)
    ends = [end for curve in curves if len(curve) for end in (curve["x"].min(), curve["x"].max())]
    common = np.linspace(min(ends, default=0), max(ends, default=1), points)
    resampled = []
    for curve in curves:
        finite = curve[np.isfinite(curve["y"])]
        if len(finite):
            y = np.interp(common, finite["x"], finite["y"], left=np.nan, right=np.nan)
            resampled.append(pd.DataFrame({"x": common, "y": y}))
    return resampled


def mean_with_band(curves: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The mean of the curves at each x (y), its 95 % confidence interval (low, high), and the number of curves (n).

    The interval is that of Student's t distribution, NaN where n is 1. Non-finite values are left out.
    """
    joined = pd.concat([curve[np.isfinite(curve["y"])] for curve in curves])
    per_x = joined.groupby("x")["y"].agg(["mean", "std", "count"]).reset_index()
    n = per_x["count"].to_numpy(float)
    quantile = stdtrit(np.maximum(n - 1, 1), (1 + CONFIDENCE) / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        half = np.where(n > 1, quantile * per_x["std"] / np.sqrt(n), np.nan)
    mean = per_x["mean"]
    return pd.DataFrame({"x": per_x["x"], "y": mean, "low": mean - half, "high": mean + half, "n": n.astype(int)})
