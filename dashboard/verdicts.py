"""Comparisons and their verdicts, as tables."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from lab.tracking.reading.run_table import RunTable

EARLIER_RULE = "anytime-valid t test"  # of comparisons that were recorded before version 0.3


def comparison_runs(table: RunTable) -> list[str]:
    """The runs that hold a comparison, latest first."""
    if "lab.kind" not in table.tags:
        return []
    runs = table.tags.index[table.tags["lab.kind"] == "comparison"]
    return list(table.info.loc[runs].sort_values("started", ascending=False).index)


def parse(text: str) -> dict[str, Any] | None:
    """The content of comparison.json; None if it is missing or damaged."""
    try:
        content = json.loads(text or "null")
        return content if content["verdicts"] is not None and content["narrowing"] is not None else None
    except (ValueError, KeyError, TypeError):
        return None


def verdict_table(comparisons: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """One row per arm of each comparison."""
    rows = [
        {
            "comparison": content["name"],
            "arm": arm,
            "against": content["control"],
            "measure": content["measure"],
            "verdict": verdict["state"],
            "difference": verdict["mean"],
            "low": verdict["low"],
            "high": verdict["high"],
            "seeds": verdict["n"],
            "wins": verdict["superiority"],
            "rule": verdict.get("rule", EARLIER_RULE),
        }
        for content in comparisons.values()
        for arm, verdict in content["verdicts"].items()
    ]
    return pd.DataFrame(rows)


def arm_table(content: Mapping[str, Any]) -> pd.DataFrame:
    """Each arm of a comparison with its settings and its mean score."""
    rows = []
    for arm, changes in content["changes"].items():
        scores = [score for score in content["scores"].get(arm, {}).values() if score is not None]
        mean = sum(scores) / len(scores) if scores else None
        rows.append({"arm": arm, "settings": json.dumps(changes), "seeds": len(scores), content["measure"]: mean})
    return pd.DataFrame(rows)
