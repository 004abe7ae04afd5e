"""Comparisons as their runs keep them."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from lab.tracking.reading.run_table import RunTable


def parents(table: RunTable) -> list[str]:
    """The runs that hold a comparison, the latest first."""
    if "lab.kind" not in table.tags:
        return []
    runs = table.tags.index[table.tags["lab.kind"] == "comparison"]
    return list(table.info.loc[runs].sort_values("started", ascending=False).index)


def parsed(text: str) -> dict[str, Any] | None:
    """A comparison from its run's comparison.json; None where it is not there yet, or damaged."""
    try:
        content = json.loads(text or "null")
        return content if content["verdicts"] is not None and content["narrowing"] is not None else None
    except (ValueError, KeyError, TypeError):
        return None


def overview(known: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """A row for each arm of each comparison."""
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
            "E": verdict["e_value"],
            "P(better)": verdict["superiority"],
        }
        for content in known.values()
        for arm, verdict in content["verdicts"].items()
    ]
    return pd.DataFrame(rows)


def arms(content: Mapping[str, Any]) -> pd.DataFrame:
    """Each arm with its settings and its mean score."""
    rows = []
    for arm, changes in content["changes"].items():
        scores = [score for score in content["scores"].get(arm, {}).values() if score is not None]
        mean = sum(scores) / len(scores) if scores else None
        rows.append({"arm": arm, "settings": json.dumps(changes), "seeds": len(scores), content["measure"]: mean})
    return pd.DataFrame(rows)
