"""Print the runs of an Aim repository, a line of JSON each: run by the Python that Aim is installed in.

It imports nothing of the lab, which is not installed there.
"""

import json
import math
import sys
from typing import Any

SYSTEM = "__"  # starts the names of what Aim itself tracks: of the machine, and logs of the terminal
OTHERS = ("texts", "images", "figures", "distributions", "audios")


def main() -> None:
    """Print every run of the repository in the folder that is named."""
    from aim import Repo

    repository = Repo(sys.argv[1])
    for run in sorted(repository.iter_runs(), key=lambda each: each.creation_time):
        print(json.dumps(_content(run), default=str))


def _content(run: Any) -> dict[str, Any]:
    every = list(run.metrics())
    metrics = [each for each in every if not each.name.startswith(SYSTEM)]
    kinds = run.collect_sequence_info(OTHERS)
    others = {each["name"] for kind in kinds.values() for each in kind if not each["name"].startswith(SYSTEM)}
    others |= {"system metrics"} if len(metrics) < len(every) else set()
    settings = run.get(..., {}) or {}
    return {
        "name": run.name or run.hash,
        "settings": {name: value for name, value in settings.items() if not name.startswith(SYSTEM)},
        "metrics": [_metric(each) for each in metrics],
        "others": sorted(others),
        "description": run.description or "",
        "tags": list(run.tags),
        "started": run.creation_time,
        "ended": run.end_time,
    }


def _metric(metric: Any) -> dict[str, Any]:
    steps, (values, epochs, times) = metric.data.items_list()
    return {
        "name": metric.name,
        "context": metric.context.to_dict(),
        "steps": list(steps),
        "epochs": not all(map(math.isnan, epochs)),  # whether it has some: NaN stands for none
        "times": list(times),
        "values": [_json(value) for value in values],
    }


def _json(value: Any) -> Any:
    """A number as JSON has it; NaN and infinities as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    return value


if __name__ == "__main__":
    main()
