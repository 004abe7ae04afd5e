"""How a command is added to the parser, and the arguments that several commands share."""

import argparse
from collections.abc import Callable, Sequence
from typing import Protocol

from lab.errors import did_you_mean

WORKERS = "in processes of this machine or on RAY_ADDRESS (as many as there is room for)"
Command = Callable[[argparse.Namespace], int]


class Commands(Protocol):
    """What `add_subparsers` of argparse returns: its class has no public name."""

    def add_parser(self, name: str, *, help: str, description: str) -> argparse.ArgumentParser:
        """Add a command."""


def add(commands: Commands, name: str, command: Command, text: str, when_stopped: str = "") -> argparse.ArgumentParser:
    """Add a command; `text` is its help, `when_stopped` the message after Ctrl-C."""
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(command=command, when_stopped=when_stopped)
    return parser


def experiment(parser: argparse.ArgumentParser) -> None:
    """Add an experiment and settings to change."""
    parser.add_argument("name", help="a file in experiments/, without .yaml")
    overrides(parser, "optimizer.lr=0.01 seed=3")


def overrides(parser: argparse.ArgumentParser, example: str) -> None:
    """Add settings to change."""
    parser.add_argument("overrides", nargs="*", metavar="setting=value", help=f"settings to change, such as {example}")


def run(parser: argparse.ArgumentParser) -> None:
    """Add a run."""
    parser.add_argument("run", help="run id or its first characters, name, latest:EXPERIMENT or best:EXPERIMENT")


def one_of(*names: str) -> Callable[[str], str]:
    """The `type` of an option that is one of these names: argparse's own `choices` says neither which is meant."""

    def checked(value: str) -> str:
        if value not in names:
            raise argparse.ArgumentTypeError(f"no such choice '{value}'; {did_you_mean(value, names)}")
        return value

    return checked


def listed(names: Sequence[str]) -> str:
    """Names as a help text lists them: a, b or c."""
    return f"{', '.join(names[:-1])} or {names[-1]}"


def by(parser: argparse.ArgumentParser) -> None:
    """Add the metric that defines the best run."""
    parser.add_argument("--by", default="val/loss", help="the metric that defines the best run (val/loss)")
