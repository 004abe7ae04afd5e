"""The course of a study: its trials coloured by state, the best so far, and the best trials with their settings."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy.special import stdtrit

from dashboard import text
from dashboard.figures.chart import COLOURS, HEIGHT, Chart, colour, rgba

LEAST_TRIALS = 8  # finished ones, below which no gain is estimated
SHOWN = 5  # best trials
STATES = {"COMPLETE": (0, "circle"), "PRUNED": (1, "x"), "FAIL": (3, "cross"), "RUNNING": (2, "diamond")}
BESIDE_SETTINGS = ("number", "state", "value", "duration")


def best_so_far(trials: pd.DataFrame, maximize: bool) -> pd.DataFrame:
    """The number of each finished trial and the best value until then."""
    finished = trials[trials["state"].eq("COMPLETE") & np.isfinite(trials["value"].astype(float))]
    finished = finished.sort_values("number")
    best = finished["value"].cummax() if maximize else finished["value"].cummin()
    return pd.DataFrame({"number": finished["number"], "best": best})


def best_trials(trials: pd.DataFrame, maximize: bool, links: Mapping[int, str]) -> pd.DataFrame:
    """The best finished trials, the best first, with every setting that they searched, and links to their runs."""
    finished = trials[trials["state"].eq("COMPLETE") & trials["value"].notna()]
    best = finished.sort_values("value", ascending=not maximize, kind="stable").head(SHOWN)
    settings = [name for name in best if name not in BESIDE_SETTINGS and best[name].notna().any()]
    found = best[["number", "value", *settings]].rename(columns={"number": "trial"})
    return found.assign(open=[links.get(int(number)) for number in best["number"]])


def numeric_settings(trials: pd.DataFrame) -> list[str]:
    """The searched settings that are numbers and differ, those of the optimizer first."""
    names = [str(name) for name in trials if name not in BESIDE_SETTINGS]
    varied = [name for name in names if pd.api.types.is_numeric_dtype(trials[name]) and trials[name].nunique() > 1]
    return sorted(varied, key=lambda name: not name.startswith("optimizer."))


def history_chart(trials: pd.DataFrame, maximize: bool, winners: pd.DataFrame | None = None) -> Chart:
    """The value of every trial by its state, and the best so far; of trials that ended early, their last value.

    `winners` are the candidates on fresh seeds, the best first, whose interval is drawn as a band.
    """
    figure = go.Figure()
    winner = winners.iloc[0] if winners is not None and len(winners) else None
    if winner is not None and np.isfinite([winner["low"], winner["high"]]).all():
        figure.add_hrect(y0=winner["low"], y1=winner["high"], line_width=0, fillcolor=rgba(COLOURS[2], 0.2))
    for state, (style, symbol) in STATES.items():
        rows = trials[trials["state"].eq(state) & trials["value"].notna()]
        if len(rows):
            label, marker = state.lower(), {"color": colour(style), "symbol": symbol, "size": 8}
            hover = f"trial %{{x}}: %{{y:.5g}}<extra>{label}</extra>"
            figure.add_scatter(
                x=rows["number"], y=rows["value"], mode="markers", name=label, marker=marker, hovertemplate=hover
            )
    best = best_so_far(trials, maximize)
    line = {"shape": "hv", "color": COLOURS[-1]}
    figure.add_scatter(x=best["number"], y=best["best"], mode="lines", name="best so far", line=line)
    legend = {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0}
    margin = {"l": 10, "r": 10, "t": 30, "b": 10}
    figure.update_layout(height=HEIGHT, legend=legend, margin=margin, xaxis_title="trial", yaxis_title="value")
    without = int(trials["value"].isna().sum())
    notes = (f"{text.count(without, 'trial')} without a value",) if without else ()
    deviation = float(winner["sd"]) if winner is not None else math.nan
    band = ("band: the winner on fresh seeds, 95 %",) if figure.layout.shapes else ()
    return Chart(figure, (*notes, _last_gain(best), *more_trials(trials, maximize, deviation), *band), trials)


def more_trials(trials: pd.DataFrame, maximize: bool, deviation: float) -> list[str]:
    """What as many trials again may bring: in random order, what the second half of those finished brought.

    The best of n random ones of N values x_1 < ... < x_N is x_i with the probability C(i-1, n-1) / C(N, n).
    `deviation` is the standard deviation of the winner over seeds, beside which a gain is small or large.
    """
    values = trials["value"][trials["state"].eq("COMPLETE") & np.isfinite(trials["value"].astype(float))]
    ordered = np.sort(values if maximize else -values)
    if len(ordered) < LEAST_TRIALS:
        return []
    half = len(ordered) // 2
    chances = np.array([math.comb(rank, half - 1) for rank in range(len(ordered))]) / math.comb(len(ordered), half)
    gain = float(ordered[-1] - chances @ ordered)
    found = f"twice as many trials: expect a gain of about {text.number(gain)} or less"
    return [f"{found}; another seed of the winner changes {text.number(deviation)} (sd)" if deviation > 0 else found]


def _last_gain(best: pd.DataFrame) -> str:
    """How long ago the best value was found, which says whether more trials may pay."""
    if not len(best):
        return "no trial has finished"
    found = best["number"][best["best"] == best["best"].iloc[-1]].iloc[0]
    later = text.count(int((best["number"] > found).sum()), "finished trial")
    return f"the best was found in trial {found}; {later} since"


def with_interval(candidates: pd.DataFrame) -> pd.DataFrame:
    """The candidates with the 95 % interval of their mean over seeds (Student's t), beside the mean."""
    seeds = candidates["seeds"].to_numpy(float)
    half = stdtrit(np.maximum(seeds - 1, 1), 0.975) * candidates["sd"] / np.sqrt(seeds)
    found = candidates.copy()
    found.insert(2, "low", candidates["mean"] - half)
    found.insert(3, "high", candidates["mean"] + half)
    return found
