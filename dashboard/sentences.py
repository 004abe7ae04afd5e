"""The state of one run as a sentence."""

import pandas as pd

from dashboard import words
from lab.tracking.states import STALE, last_report, seconds


def of_state(info: pd.Series, state: str) -> str:
    """The state of one run with its times."""
    one = info.to_frame().T.infer_objects()
    span = words.duration(float(seconds(one).iloc[0]))
    if state == STALE:
        silence = words.age(float(last_report(one).iloc[0]))[:-4]
        return f"{state}: no report for {silence}, `lab runs --reap` closes it if its process is gone"
    return f"{state}, {'for' if info['status'] == 'RUNNING' else 'took'} {span}, begun {words.age(info['started'])}"
