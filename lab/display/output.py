"""Rich's tables and bars where a person works: redrawn in place in a terminal or a notebook, as text, as HTML."""

import html
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from lab.errors import printable

LABEL = re.compile(r".{0,20}?\s{2,}")  # of a line of facts, with the blanks behind it
COMMANDS = ("make ", "lab ", ".venv/bin/")
WIDTH = 120  # characters of a result as text, in which no column is cut off
TABLE = '<table class="dataframe">'  # the class that notebooks style, for light and dark themes
LINE = '<div style="font-family: monospace; white-space: pre-wrap">'  # labels and texts in columns
DIM = '<span style="opacity: 0.65">'
# Rich's own format sets a background, which would be that of a light theme.
BLOCK = '<pre style="white-space: pre; overflow-x: auto; line-height: normal">{code}</pre>'


class SafeConsole(Console):
    """Rich's console, which shows the control characters of a person's text instead of obeying them."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of what is printed, their control characters escaped; Rich's own have `control` set."""
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else printable(segment.text, lines=True)
            yield segment if text == segment.text else Segment(text, segment.style, segment.control)

    def tell(self, renderable: RenderableType) -> None:
        """Print a result: in a terminal its lines are folded at words; a file gets whole lines."""
        self.print(_folded(renderable, self.width) if self.is_terminal else renderable, highlight=False, soft_wrap=True)


def _folded(renderable: RenderableType, width: int) -> RenderableType:
    """The lines of a group with none wider than `width`, except commands and paths, which people copy."""
    if isinstance(renderable, Group):
        return Group(*(_folded(part, width) for part in renderable.renderables))
    if not isinstance(renderable, str):
        return renderable
    return Text("\n").join(part for line in Text.from_markup(renderable).split() for part in _parts(line, width))


def _parts(line: Text, width: int) -> Iterator[Text]:
    """A line in parts, the later ones below the text that follows its label."""
    label = LABEL.match(line.plain)
    indent = label.end() if label else 0
    if line.plain[indent:].startswith(COMMANDS):
        yield line
        return
    first, *others = line.divide(_breaks(line.plain, indent, width))
    first.rstrip()
    yield first
    for part in others:
        part.rstrip()
        yield Text(" " * indent) + part


def _breaks(text: str, indent: int, width: int) -> list[int]:
    """Where the words begin that open a new line; a word longer than a line stays whole."""
    found: list[int] = []
    begin, room = 0, width
    for word in re.finditer(r"\S+", text):
        if word.start() > max(begin, indent) and cell_len(text[begin : word.end()]) > room:
            found.append(word.start())
            begin, room = word.start(), width - indent
    return found


class Screen(Protocol):
    """Where something is drawn again and again, and removed at the end."""

    def show(self, renderable: RenderableType) -> None:
        """Draw, in place of what was drawn before."""

    def clear(self) -> None:
        """Remove what was drawn, if anything was."""


def screen(console: Console) -> Screen:
    """The screen of a console: the output of the running cell in a notebook, else the terminal."""
    return Notebook() if console.is_jupyter and not console.quiet else Terminal(console)


class Terminal:
    """Draws in a terminal; in a file, nothing."""

    def __init__(self, console: Console):
        self._live = Live(console=console, transient=True, auto_refresh=False)

    def show(self, renderable: RenderableType) -> None:
        """Draw, in place of what was drawn before."""
        self._live.start()
        self._live.update(renderable, refresh=True)

    def clear(self) -> None:
        """Remove what was drawn, if anything was."""
        self._live.stop()


class Notebook:
    """Draws in the output of a cell. Rich's own way needs ipywidgets, without which it draws nothing."""

    def __init__(self) -> None:
        self._output: Any = None

    def show(self, renderable: RenderableType) -> None:
        """Draw, in place of what was drawn before."""
        self._draw(as_html(renderable))

    def clear(self) -> None:
        """Remove what was drawn, if anything was."""
        if self._output is not None:
            self._draw("")

    def _draw(self, content: str) -> None:
        from IPython.display import HTML, display

        if self._output is None:
            self._output = display(HTML(content), display_id=True)
        else:
            self._output.update(HTML(content))


class Shown:
    """A result that shows its report: as text where it is printed, as HTML in a notebook."""

    def report(self) -> RenderableType:
        """What is shown of the result."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return as_text(self.report())

    def _repr_html_(self) -> str:
        return as_html(self.report())


def as_text(renderable: RenderableType) -> str:
    """What a terminal shows, without colours."""
    console = _paper()
    console.print(renderable, highlight=False, soft_wrap=True)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines()).strip("\n")


def as_html(renderable: RenderableType) -> str:
    """The same as HTML: tables of texts as tables, lines as lines, everything else as a terminal would show it."""
    if isinstance(renderable, Group):
        return "".join(as_html(part) for part in renderable.renderables)
    if isinstance(renderable, str):
        return f"{LINE}{_marked_up(renderable)}</div>" if renderable else ""
    if isinstance(renderable, Table) and all(isinstance(cell, str) for cell in _cells(renderable)):
        return _table(renderable)
    console = _paper()
    console.print(renderable)
    return console.export_html(inline_styles=True, code_format=BLOCK)


def _paper() -> Console:
    """A console that draws nowhere but records; by default, one in a notebook would also draw in the cell's output."""
    return Console(file=io.StringIO(), width=WIDTH, record=True, color_system="truecolor", force_jupyter=False)


def _cells(table: Table) -> Iterator[RenderableType]:
    return (cell for column in table.columns for cell in (column.header, *column.cells))


def _table(table: Table) -> str:
    head = _row("th", table, [column.header for column in table.columns], "")
    rows = zip(table.rows, zip(*(column.cells for column in table.columns), strict=True), strict=True)
    body = "".join(_row("td", table, cells, str(row.style or "")) for row, cells in rows)
    return f"{TABLE}<thead>{head}</thead><tbody>{body}</tbody></table>"


def _row(tag: str, table: Table, cells: Sequence[RenderableType], style: str) -> str:
    shown = (_cell(tag, column, str(cell), style) for column, cell in zip(table.columns, cells, strict=True))
    return f"<tr>{''.join(shown)}</tr>"


def _cell(tag: str, column: Column, markup: str, style: str) -> str:
    content = _styled(_marked_up(markup), f"{style} {column.style}")
    return f'<{tag} style="text-align: {column.justify}">{content}</{tag}>'


def _marked_up(markup: str) -> str:
    """Text in rich's markup as HTML: escaped, with bold and dim parts; colours would not suit every theme."""
    parts = Text.from_markup(markup).render(_paper())
    return "".join(_styled(html.escape(part.text).replace("\n", "<br>"), str(part.style or "")) for part in parts)


def _styled(content: str, style: str) -> str:
    """HTML in a style such as "bold dim"."""
    names = style.split()
    content = f"<b>{content}</b>" if "bold" in names else content
    return f"{DIM}{content}</span>" if "dim" in names else content
