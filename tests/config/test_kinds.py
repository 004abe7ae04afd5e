"""What a `kind:` may name: what makes the thing that its section is about, and nothing else."""

from pathlib import Path

import pytest

from lab.cli import main
from lab.config import kinds
from lab.errors import LabError

OWN = """
from torch import nn
from torch.optim import Optimizer

class Net(nn.Module):
    pass

def made(width: int = 3) -> nn.Module: ...
def perhaps() -> "nn.Linear | None": ...
def scheduled(optimizer: Optimizer) -> dict[str, object]: ...
def nobody_knows(x: int): ...
"""


@pytest.fixture
def ideas(empty_workplace: Path) -> str:
    (empty_workplace / "ideas_kinds.py").write_text(OWN)
    return "ideas_kinds"


@pytest.mark.parametrize(
    ("section", "name"), [("model", "Net"), ("model", "made"), ("model", "perhaps"), ("scheduler", "scheduled")]
)
def test_a_class_or_an_annotated_function_is_taken(ideas: str, section: str, name: str) -> None:
    assert kinds.find(section, f"{ideas}:{name}").__name__ == name


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ("model", "os:system"),
        ("data", "subprocess:Popen"),
        ("loss", "builtins:eval"),
        ("optimizer", "torch.nn:Linear"),
        ("model", "torch.hub:load"),
        ("model", "ideas_kinds:nobody_knows"),
        ("data", "ideas_kinds:Net"),
    ],
)
def test_what_makes_something_else_is_refused_before_it_is_called(ideas: str, section: str, kind: str) -> None:
    with pytest.raises(LabError, match=f"{section}.kind: {kind} is not called.*name a subclass of"):
        kinds.find(section, kind)


def test_show_says_whose_code_an_experiment_runs(empty_workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ideas = "ideas_shown"
    (empty_workplace / f"{ideas}.py").write_text(OWN)
    for arguments, said in (([], "# runs only code of the lab"), ([f"model.kind={ideas}:made"], "")):
        with pytest.raises(SystemExit):
            main.main(["show", "linear", *arguments])
        last = capsys.readouterr().out.splitlines()[-1]
        assert last == (said or f"# model.kind runs code of {ideas} ({ideas}.py)")
