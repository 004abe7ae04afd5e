"""What the terminal shows of a look at data, and of the experiment made for it."""

from rich.console import Group, RenderableType
from rich.markup import escape

from lab.scaffold.writing import Scaffold


def scaffold(made: Scaffold) -> RenderableType:
    """What was found, what to look out for, what was chosen, and the next commands."""
    sections = made.choice.sections
    model = ", ".join(f"{name} {value}" for name, value in sections["model"].items() if name != "kind")
    budget = f"batches of {sections['data']['batch_size']}, {sections['trainer']['max_epochs']} epochs"
    name = made.path.stem
    lines = [_line(about, words) for about, words in made.look.facts]
    lines += [f"[yellow]{'look out':10}[/yellow]  {escape(warning)}" for warning in made.look.warnings]
    lines += [
        "",
        _line("model", f"{sections['model']['kind']} ({model or 'its defaults'}), {made.parameters:,} parameters"),
        _line("training", f"{sections['optimizer']['kind']}, {budget}"),
        _line("written", str(made.path)),
        _line("next", f"make experiment NAME={name}"),
        _line("", f"make study NAME={name} TRIALS=30"),
    ]
    return Group(*lines)


def _line(about: str, words: str) -> str:
    return f"[dim]{about:10}[/dim]  {escape(words)}"
