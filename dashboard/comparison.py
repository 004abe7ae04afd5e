"""A comparison of runs: its groups, its curves, what differs; no page in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dashboard import charts, curves, groups, selection
from dashboard.charts import Line
from dashboard.groups import Group
from lab.tracking import states
from lab.tracking.tables import RunTable

MOST_RAW = 12  # lines whose values before smoothing are drawn too


@dataclass(frozen=True)
class Look:
    """How curves are looked at: axis, smoothing weight (0: none), logarithm, and the part of the x axis."""

    axis: curves.Axis = "step"
    smoothing: float = 0.0
    log: bool = False
    span: tuple[float, float] | None = None


def lines(found: Mapping[str, pd.DataFrame], chosen: Sequence[Group], look: Look) -> list[Line]:
    """A line for each group: the curve of its run, or the mean of its runs' curves with a band."""
    made = []
    for style, group in enumerate(chosen):
        parts = [_within(found[run], look.span) for run in group.ids if run in found]
        parts = [part for part in parts if len(part)]
        if not parts:
            continue
        smooth = [part.assign(y=curves.smoothed(part["y"].to_numpy(), look.smoothing)) for part in parts]
        if len(group.ids) > 1:
            label = f"{group.label} (n={len(parts)})"
            made.append(Line(label, groups.with_band(groups.on_common_x(smooth)), style))
        else:
            raw = parts[0] if look.smoothing > 0 and len(chosen) <= MOST_RAW else None
            made.append(Line(group.label, smooth[0], style, raw))
    return made


def _within(curve: pd.DataFrame, span: tuple[float, float] | None) -> pd.DataFrame:
    return curve if span is None else curve[curve["x"].between(*span)].reset_index(drop=True)


def extent(found: Mapping[str, pd.DataFrame]) -> tuple[float, float]:
    """The part of the x axis that the curves cover."""
    ends = [(curve["x"].min(), curve["x"].max()) for curve in found.values() if len(curve)]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else (0.0, 0.0)


def what_differs(table: RunTable, chosen: Sequence[Group]) -> pd.DataFrame:
    """Only the settings that are not the same everywhere, a row for each group; `a | b` where a group mixes them."""
    names = selection.differing(table.params)
    several = any(len(group.ids) > 1 for group in chosen)
    settings = table.params[names].astype(object).to_dict("index")
    rows = []
    for group in chosen:
        row: dict[str, object] = {"group": group.label, "runs": len(group.ids)} if several else {"run": group.label}
        row |= {name: _values([settings[run][name] for run in group.ids]) for name in names}
        rows.append(row)
    return pd.DataFrame(rows)


def _values(column: Sequence[object]) -> str:
    values = list(dict.fromkeys(str(value) for value in column if not pd.isna(value)))
    return " | ".join(values[:6]) + (" | …" if len(values) > 6 else "")


def results(table: RunTable, chosen: Sequence[Group], metrics: Sequence[str]) -> pd.DataFrame:
    """Mean and standard deviation of the last values of each metric, a row for each group."""
    rows = []
    for group in chosen:
        row: dict[str, object] = {"group": group.label, "runs": len(group.ids)}
        for metric in metrics:
            if metric in table.metrics:
                values = table.metrics.loc[list(group.ids), metric].dropna()
                finite = values[np.isfinite(values)]
                row[metric] = finite.mean() if len(finite) else np.nan
                if len(group.ids) > 1:
                    row[f"{metric} ± sd"] = finite.std() if len(finite) > 1 else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def quantities(table: RunTable) -> pd.DataFrame:
    """Everything that can be an axis: settings that differ, last values of metrics, and the time a run took."""
    settings = table.params[selection.differing(table.params)].apply(selection.numeric)
    found = pd.concat([settings, table.metrics.loc[:, table.metrics.notna().any()]], axis=1)
    found = found.loc[:, ~found.columns.duplicated()]
    found["training seconds"] = states.seconds(table.info)
    return found


def curve_picture(
    found: Mapping[str, pd.DataFrame], chosen: Sequence[Group], metric: str, look: Look
) -> charts.Picture:
    """The curves of one metric as they are looked at."""
    return charts.curve_chart(lines(found, chosen, look), metric, look.axis, look.log)
