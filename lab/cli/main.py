"""The `lab` command: parse the arguments, call the command, print its errors, exit with its code."""

import argparse
import sys
from collections.abc import Collection, Sequence
from typing import NoReturn

from lab.cli import experiments, runs, services, studies
from lab.errors import LabError, Stopped, TrainingFailed, described, did_you_mean, place_of, printable, redacted
from lab.version import __version__

GROUPS = (experiments, studies, runs, services)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 0, 1 (failed), 2 (an error to correct) or 128 + signal number (stopped)."""
    options = _parse(arguments)
    try:
        code = options.command(options)
    except LabError as error:
        for line in error.lines:
            print(f"lab: {line}", file=sys.stderr)
        code = 2
    except TrainingFailed as error:
        print(f"lab: {printable(redacted(str(error)), lines=True)}", file=sys.stderr)
        code = 1
    except Stopped as stop:
        print(f"lab: stopped; {options.when_stopped}", file=sys.stderr)
        code = 128 + stop.signal_number
    except KeyboardInterrupt as error:
        print(f"lab: interrupted{place_of(error)}", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        code = 130
    except BaseException as error:  # of a person's own code; one of the lab's own is a bug, which needs its traceback
        if not (place := place_of(error)):
            raise
        print(f"lab: {printable(redacted(described(error)))}{place}", file=sys.stderr)
        code = 2
    sys.exit(code)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse, and accept `setting=value` after options, which argparse does not."""
    parser, commands = _parser()
    first = next(iter(sys.argv[1:] if arguments is None else arguments), "-")
    if not first.startswith("-") and first not in commands:
        parser.error(f"no such command '{first}'; {did_you_mean(first, commands)}")
    options, rest = parser.parse_known_args(arguments)
    late = [argument for argument in rest if "=" in argument and not argument.startswith("-")]
    if rest != late or (late and "overrides" not in options):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if late:
        options.overrides = [*options.overrides, *late]
    return options


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Print what is wrong with the arguments, which may contain anything, as one line, and exit with 2."""
        what = printable(message.removeprefix("argument "))
        self.exit(2, f"lab: {what}{f'; `{self.prog} --help` lists them' if 'required' in message else ''}\n")


def _parser() -> tuple[argparse.ArgumentParser, Collection[str]]:
    """The parser, and the names of the commands."""
    parser = _Parser(prog="lab", description="Find out whether an idea for a neural network works.")
    parser.add_argument("--version", action="version", version=f"lab {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in GROUPS:
        group.register(commands)
    return parser, commands.choices
