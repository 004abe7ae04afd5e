"""The live line of a study shows itself only where there is something to show."""

from rich.console import Console

from lab.studies.report import ProgressLine
from lab.studies.search import Counts
from lab.studies.study import Options


def drawn(console: Console) -> str:
    with console.capture() as captured, ProgressLine(console, Options(trials=4)) as line:
        line.searching(Counts(1, 1, 0), 1, (0, 0.5))
    return captured.get()


def test_nothing_is_printed_where_a_study_never_began() -> None:
    console = Console(width=100)
    with console.capture() as captured, ProgressLine(console, Options()):
        pass
    assert captured.get() == ""


def test_what_is_done_and_the_best_so_far_are_shown() -> None:
    assert "trials" in (shown := drawn(Console(width=150, force_terminal=True)))
    assert "(1 pruned, 0 failed, 1 running)  best 0.5000 by trial 0" in shown
