"""The terminal: what is printed shows control characters of a person's text, instead of obeying them."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from lab.errors import printable


class Terminal(Console):
    """Rich's console, which by itself would pass the escape sequences of a text on."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of what is printed, their control characters escaped; Rich's own have `control` set."""
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else printable(segment.text, lines=True)
            yield segment if text == segment.text else Segment(text, segment.style, segment.control)
