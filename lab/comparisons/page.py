"""A comparison as data (JSON) and as one self-contained HTML page."""

import html
from collections.abc import Mapping
from typing import Any

from lab.comparisons.figures import figure
from lab.comparisons.findings import Findings, sentences
from lab.comparisons.statistics import verdicts
from lab.files import to_json


def as_json(findings: Findings) -> str:
    """The comparison with its scores and verdicts."""
    design = findings.design
    content = {
        "name": design.name,
        "question": design.question,
        "measure": design.measure,
        "rule": vars(design.rule),
        "higher_is_better": design.rule.higher_is_better,
        "margin": design.rule.margin,
        "alpha": design.rule.alpha,
        "minutes": findings.minutes,
        "control": design.control,
        "changes": design.changes,
        "verdicts": {arm: vars(verdict) for arm, verdict in findings.verdicts.items()},
        "sentences": list(sentences(findings)),
        "scores": {arm: _by_seed(findings, scores) for arm, scores in findings.scores.arms.items()},
        "extras": {arm: _by_seed(findings, extras) for arm, extras in findings.scores.extras.items()},
        "narrowing": {arm: sequence(findings, arm) for arm in findings.verdicts},
    }
    return to_json(content, indent=1) + "\n"


def _by_seed(findings: Findings, numbered: Mapping[int, Any]) -> dict[int, Any]:
    return {findings.design.first_seed + number - 1: value for number, value in numbered.items()}


def as_html(findings: Findings) -> str:
    """The question, the verdicts and the figures on a page that opens offline."""
    design = findings.design
    title = html.escape(f"{design.name}: {design.question}")
    items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences(findings))
    figures = "".join(
        figure(arm, sequence(findings, arm), design.control, design.measure, design.rule.margin).to_html(
            full_html=False, include_plotlyjs=number == 0
        )
        for number, arm in enumerate(findings.verdicts)
    )
    return f"<!doctype html><meta charset='utf-8'><title>{title}</title><h1>{title}</h1><ul>{items}</ul>{figures}"


def sequence(findings: Findings, arm: str) -> list[dict[str, float]]:
    """For each seed the difference from the control, and the mean and its interval up to it."""
    pairs = findings.scores.pairs(arm, findings.design.control)
    rows = verdicts.narrowing(pairs, findings.design.rule, findings.verdicts[arm])
    return [{"seed": seed, **row} for seed, row in enumerate(rows, start=findings.design.first_seed)]
