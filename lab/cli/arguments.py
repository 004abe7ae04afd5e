"""How a command is added, and the arguments that several share."""

import argparse
from collections.abc import Callable
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # argparse has no public name for it
Command = Callable[[argparse.Namespace], int]


def add(commands: Commands, name: str, command: Command, text: str, when_stopped: str = "") -> argparse.ArgumentParser:
    """Add a command; `when_stopped` says what Ctrl-C leaves."""
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(command=command, when_stopped=when_stopped)
    return parser


def experiment(parser: argparse.ArgumentParser) -> None:
    """An experiment and settings to change."""
    parser.add_argument("name", help="a file in experiments/, without .yaml")
    overrides(parser, "optimizer.lr=0.01 seed=3")


def overrides(parser: argparse.ArgumentParser, such_as: str) -> None:
    """Settings to change."""
    parser.add_argument("overrides", nargs="*", metavar="setting=value", help=f"settings to change, such as {such_as}")


def run(parser: argparse.ArgumentParser) -> None:
    """A run, by any of its names."""
    parser.add_argument("run", help="id, its first letters, name, latest:EXPERIMENT or best:EXPERIMENT")


def by(parser: argparse.ArgumentParser) -> None:
    """The metric that the best run is chosen by."""
    parser.add_argument("--by", default="val/loss", help="metric at the best epoch that chooses the best (val/loss)")
