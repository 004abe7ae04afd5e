"""A comparison as one self-contained page and as data."""

import html
import json
from typing import TYPE_CHECKING

from lab.comparisons import statistics
from lab.comparisons.comparison import Comparison
from lab.comparisons.figures import figure
from lab.comparisons.findings import sentences

if TYPE_CHECKING:
    from lab.comparisons.findings import Findings


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
        "sentences": list(sentences(findings)),
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
    said = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences(findings))
    pictures = [
        figure(arm, narrowing(c, findings, arm), c.control, c.measure, c.margin).to_html(
            full_html=False, include_plotlyjs=number == 0
        )
        for number, arm in enumerate(findings.verdicts)
    ]
    return f"<!doctype html><meta charset='utf-8'><title>{title}</title><h1>{title}</h1><ul>{said}</ul>" + "".join(
        pictures
    )
