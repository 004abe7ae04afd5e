"""A comparison as data (JSON) and as one self-contained HTML page."""

import html
import json

from lab.comparisons import verdicts
from lab.comparisons.figures import figure
from lab.comparisons.findings import Findings, sentences


def as_json(findings: Findings) -> str:
    """The comparison with its scores and verdicts."""
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
        "narrowing": {arm: sequence(findings, arm) for arm in findings.verdicts},
    }
    return json.dumps(content, indent=1) + "\n"


def as_html(findings: Findings) -> str:
    """The question, the verdicts and the figures on a page that opens offline."""
    c = findings.comparison
    title = html.escape(f"{c.name}: {c.question}")
    items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences(findings))
    figures = "".join(
        figure(arm, sequence(findings, arm), c.control, c.measure, c.margin).to_html(
            full_html=False, include_plotlyjs=number == 0
        )
        for number, arm in enumerate(findings.verdicts)
    )
    return f"<!doctype html><meta charset='utf-8'><title>{title}</title><h1>{title}</h1><ul>{items}</ul>{figures}"


def sequence(findings: Findings, arm: str) -> list[dict[str, float]]:
    """For each seed the difference from the control, and the mean and confidence sequence up to it."""
    c = findings.comparison
    seeds, differences = findings.scores.pairs(arm, c.control, c.max_seeds)
    rows = []
    for n, (seed, difference) in enumerate(zip(seeds, differences, strict=True), start=1):
        d = verdicts.summary(differences[:n])
        low, high = verdicts.confidence_sequence(d, c.alpha_per_arm)
        rows.append({"seed": seed, "difference": difference, "mean": d.mean, "low": low, "high": high})
    return rows
