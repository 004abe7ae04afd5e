"""Tables and bars, as text, as HTML, redrawn in a terminal or a notebook."""

import io

from rich.console import Console, Group
from rich.progress import BarColumn, Progress
from rich.table import Table

from lab.display import output
from lab.display.numbers import counted


def example() -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column("name")
    table.add_column("score\nof all", justify="right", style="dim")
    table.add_row("<b>&", "[bold]0.5[/bold]")
    table.add_row("best", "[1, 2]", style="bold")
    return table


def test_a_report_as_text_has_no_escapes_and_no_empty_ends() -> None:
    shown = output.as_text(Group("", example(), "", "[dim]label[/dim]  text", ""))
    lines = shown.splitlines()
    assert lines[1].split() == ["name", "of", "all"]
    assert lines[-1] == "label  text"
    assert "\x1b" not in shown
    assert lines == [line.rstrip() for line in lines]


def test_a_line_longer_than_the_terminal_is_not_broken() -> None:
    line = "word " * 100
    assert output.as_text(line) == line.rstrip()


def test_a_table_becomes_an_html_table_escaped_and_styled() -> None:
    shown = output.as_html(example())
    assert shown.startswith('<table class="dataframe"><thead><tr><th style="text-align: left">name</th>')
    assert f'<th style="text-align: right">{output.DIM}score<br>of all</span></th>' in shown
    assert '<td style="text-align: left">&lt;b&gt;&amp;</td>' in shown
    assert f'<td style="text-align: right">{output.DIM}<b>0.5</b></span></td>' in shown
    assert f'<td style="text-align: left"><b>best</b></td><td style="text-align: right">{output.DIM}<b>[1, 2]' in shown
    assert shown.count("<tr>") == 3


def told(*lines: str, terminal: bool = True) -> list[str]:
    console = output.SafeConsole(file=io.StringIO(), width=40, force_terminal=terminal, color_system=None)
    console.tell(Group(*lines))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_a_terminal_folds_a_line_at_its_words_below_its_label() -> None:
    facts = "[dim]recall    [/dim]  of each class, the lowest first: [bold]seven[/bold] 0.927, two 0.944"
    assert told(facts, "[green]Better than the majority class and logistic regression.[/]") == [
        "recall      of each class, the lowest",
        "            first: seven 0.927, two",
        "            0.944",
        "Better than the majority class and",
        "logistic regression.",
    ]


def test_what_is_copied_stays_whole_a_command_and_a_path() -> None:
    command = 'next        make experiment NAME=lstm ARGS="optimizer.lr=0.01 seed=1"'
    path = f"checkpoint  {'mlruns/' * 8}best.ckpt"
    again = "            .venv/bin/lab predict 8e51be33 new-rows.csv -o predicted.csv"
    assert told(command, path, again) == [command, path, again]


def test_a_file_gets_whole_lines() -> None:
    line = "word " * 20 + "end"
    assert told(line, terminal=False) == [line]


def test_lines_become_lines_and_empty_ones_vanish() -> None:
    shown = output.as_html(Group("", "[dim]run[/dim]  <x>", "two"))
    assert shown == f"{output.LINE}{output.DIM}run</span>  &lt;x&gt;</div>{output.LINE}two</div>"


def test_a_bar_becomes_a_block_without_a_background() -> None:
    bar = Progress("{task.description}", BarColumn(), auto_refresh=False)
    bar.add_task("<epoch>", total=4, completed=2)
    shown = output.as_html(bar.get_renderable())
    assert shown.startswith("<pre")
    assert "&lt;epoch&gt;" in shown
    assert "━" in shown
    assert "background" not in shown


def test_a_terminal_draws_in_place_and_leaves_nothing() -> None:
    file = io.StringIO()
    screen = output.screen(Console(file=file, force_terminal=True, width=40))
    screen.clear()
    assert file.getvalue() == ""
    screen.show("one")
    screen.show("two")
    assert "one" in file.getvalue()
    assert "two" in file.getvalue()
    screen.clear()
    assert file.getvalue().endswith("\x1b[2K")  # the last line is erased


def test_a_file_gets_no_progress() -> None:
    file = io.StringIO()
    screen = output.screen(Console(file=file))
    screen.show("one")
    screen.clear()
    assert file.getvalue().strip() == ""


class Report(output.Shown):
    def report(self) -> Group:
        return Group(example())


def test_a_result_shows_its_report_as_text_and_as_html() -> None:
    assert repr(Report()) == output.as_text(example())
    assert Report()._repr_html_() == output.as_html(example())


def test_one_thing_is_singular() -> None:
    assert [counted(count, "row") for count in (0, 1, 2, 2_000)] == ["0 rows", "1 row", "2 rows", "2,000 rows"]
