"""A comparison as one self-contained page and as data."""

import html
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lab.comparisons import statistics, words
from lab.comparisons.comparison import Comparison

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from lab.comparisons.run import Findings


def as_json(findings: "Findings") -> str:
    """Everything that the verdicts rest on."""
    c = findings.comparison
    content = {
        "name": c.name,
        "question": c.question,
        "measure": c.measure,
        "higher_is_better": findings.higher_is_better,
        "margin": c.margin,
        "alpha": c.alpha,
        "control": c.control,
        "changes": c.changes,
        "verdicts": {arm: vars(verdict) for arm, verdict in findings.verdicts.items()},
        "sentences": list(words.sentences(findings)),
        "scores": findings.scores.arms,
        "extras": findings.scores.extras,
        "narrowing": {arm: narrowing(c, findings, arm) for arm in findings.verdicts},
    }
    return json.dumps(content, indent=1) + "\n"


def narrowing(comparison: Comparison, findings: "Findings", arm: str) -> list[dict[str, float]]:
    """The difference of each seed, and mean and confidence sequence after it."""
    seeds, differences = findings.scores.pairs(arm, comparison.control, comparison.most)
    rows = []
    for n, (seed, difference) in enumerate(zip(seeds, differences, strict=True), start=1):
        d = statistics.summary(differences[:n])
        low, high = statistics.confidence_sequence(d, comparison.alpha_per_arm)
        rows.append({"seed": seed, "difference": difference, "mean": d.mean, "low": low, "high": high})
    return rows


def as_html(findings: "Findings") -> str:
    """One page with the question, the verdicts and the pictures, that opens offline."""
    c = findings.comparison
    title = html.escape(f"{c.name}: {c.question}")
    said = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in words.sentences(findings))
    pictures = [
        figure(arm, narrowing(c, findings, arm), c.control, c.measure, c.margin).to_html(
            full_html=False, include_plotlyjs=number == 0
        )
        for number, arm in enumerate(findings.verdicts)
    ]
    return f"<!doctype html><meta charset='utf-8'><title>{title}</title><h1>{title}</h1><ul>{said}</ul>" + "".join(
        pictures
    )


def figure(arm: str, rows: Sequence[Mapping[str, Any]], control: str, measure: str, margin: float) -> "Figure":
    """The differences by seed, and the confidence sequence as it narrowed."""
    import plotly.graph_objects as go

    seeds = list(range(1, len(rows) + 1))
    finite = [row for row in rows if abs(row["low"]) != float("inf")]
    at = seeds[len(rows) - len(finite) :]
    drawn = go.Figure()
    band = {"x": at + at[::-1], "y": [r["high"] for r in finite] + [r["low"] for r in finite][::-1]}
    drawn.add_scatter(**band, fill="toself", line={"width": 0}, fillcolor="rgba(0,114,178,0.2)", name="sequence")
    drawn.add_scatter(x=seeds, y=[r["mean"] for r in rows], mode="lines", line={"color": "#0072B2"}, name="mean")
    drawn.add_scatter(
        x=seeds, y=[r["difference"] for r in rows], mode="markers", marker={"color": "#D55E00"}, name="one seed"
    )
    drawn.add_hline(y=0, line_width=1)
    if margin:
        drawn.add_hrect(y0=-margin, y1=margin, line_width=0, fillcolor="rgba(128,128,128,0.15)")
    drawn.update_layout(
        title=f"{arm} − {control}", xaxis_title="seeds", yaxis_title=f"difference in {measure}", template="simple_white"
    )
    return drawn
