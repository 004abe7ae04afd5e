"""The `lab` command: parse, call, and say how it ended. The commands are in the files beside this one."""

import argparse
import sys
from collections.abc import Sequence

from lab import __version__
from lab.cli import experiments, runs, servers, studies
from lab.errors import LabError, Stopped, TrainingFailed, redacted

GROUPS = (experiments, studies, runs, servers)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 0, 1 (failed), 2 (a mistake to mend) or 128 + signal (stopped)."""
    options = _parsed(arguments)
    try:
        code = options.command(options)
    except LabError as error:
        for line in error.lines:
            print(f"lab: {line}", file=sys.stderr)
        code = 2
    except TrainingFailed as error:
        print(f"lab: {redacted(str(error))}", file=sys.stderr)
        code = 1
    except Stopped as stop:
        print(f"lab: stopped; {options.when_stopped}", file=sys.stderr)
        code = 128 + stop.signal_number
    except (KeyboardInterrupt, BrokenPipeError):
        code = 130
    sys.exit(code)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; argparse by itself takes no `setting=value` behind an option."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    late = [argument for argument in rest if "=" in argument and not argument.startswith("-")]
    if rest != late or (late and "overrides" not in options):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if late:
        options.overrides = [*options.overrides, *late]
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description="Find out whether an idea for a neural network works.")
    parser.add_argument("--version", action="version", version=f"lab {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in GROUPS:
        group.register(commands)
    return parser
