"""The progress line of a study."""

import re

from rich.console import Console

from lab.studies.report import ProgressLine
from lab.studies.search import Counts
from lab.studies.study import Options


def rendered(console: Console) -> str:
    with console.capture() as captured, ProgressLine(console, Options(trials=4)) as line:
        line.searching(Counts(1, 1, 0), 1, (0, 0.5))
    return captured.get()


def test_nothing_is_printed_if_the_study_never_started() -> None:
    console = Console(width=100)
    with console.capture() as captured, ProgressLine(console, Options()):
        pass
    assert captured.get() == ""


def test_trials_done_and_the_best_score_are_shown() -> None:
    assert "trials" in (shown := rendered(Console(width=150, force_terminal=True)))
    assert "(1 pruned, 0 failed, 1 running)  best 0.5000 by trial 0" in shown


def test_phases_and_the_time_left_are_shown() -> None:
    console = Console(width=150, force_terminal=True)
    with console.capture() as captured, ProgressLine(console, Options(trials=4, top=2, minutes=1)) as line:
        line.searching(Counts(0, 0, 0), 1, None)
        line._next_refresh = 0.0
        line.searching(Counts(1, 0, 1), 1, None)
        line.confirming(0, 6)
        line.testing()
    shown = captured.get()
    assert re.search(r"2/4 \(0 pruned, 1 failed, 1 running\)  0:0\d:\d\d left", shown)
    assert "the best 2 trials, and the defaults" in shown
    assert "the winner is trained and tested" in shown
