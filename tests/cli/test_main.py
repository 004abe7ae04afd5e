"""The command line: output, errors and exit codes."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.table import Table

from lab.cli import main
from lab.display.output import SafeConsole
from lab.tracking import store


def lab(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main.main(arguments)
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from lab.cli import main\n"
        "try: main.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'lightning', 'mlflow', 'numpy', 'pydantic', 'rich', 'yaml', 'lab.tracking'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_python_m_lab_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "lab", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("lab ")


def test_show_prints_the_resolved_experiment(empty_workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = lab(capsys, "show", "lstm", "optimizer.lr=0.5")
    assert code == 0
    assert out.startswith("# Can an LSTM")
    assert "lr: 0.5" in out
    assert "beta1: 0.9" in out  # a default written out


def test_list_shows_every_experiment_with_its_question_data_model_and_size(
    empty_workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for path in (empty_workplace / "experiments").glob("*.yaml"):
        if path.stem not in ("linear", "diabetes", "distill", "conv2d"):
            path.unlink()
    (empty_workplace / "experiments" / "broken.yaml").write_text("data: {kind: nothing}\nmodel: {kind: mlp}\n")
    code, out, _ = lab(capsys, "list")
    assert code == 0
    lines = out.splitlines()
    (row,) = (number for number, line in enumerate(lines) if line.startswith("linear"))
    assert "How accurate is a single linear layer" in lines[row]
    assert "mnist1d, linear, 410 parameters" in lines[row + 1]
    assert "no such kind 'nothing'" in out
    (row,) = (number for number, line in enumerate(lines) if line.startswith("distill"))
    assert "Does a small perceptron learn more" in lines[row]
    first = "cannot be run: experiment 'conv2d' has no runs yet; train it first: `lab run conv2d`"
    assert lines[row + 1].strip() == first


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["run", "lsmt"], ["no experiment 'lsmt' in experiments/; did you mean lstm?"]),
        (
            ["run", "lstm", "optimizer.lrr=1", "trainer.max_epochs=0"],
            ["optimizer.lrr: no such", "must be at least 1"],
        ),
        (
            ["run", "lstm", "model={kind: conv2d}"],
            ["conv2d takes (N, C, H, W), but mnist1d gives (N, 1, 40)"],
        ),
        (
            ["run", "lstm", "data.batch_size=9999"],
            ["data.batch_size: 9999 is more than the 3601 training samples"],
        ),
        (
            ["compare", "activations", "--margin", "0", "--unpaired"],
            ["--margin: is for runs; activations is a comparison file", "--unpaired: is for runs"],
        ),
        (["compare", "abc1", "abc2", "--workers", "0"], ["--workers: is for comparison files"]),
        (["compare", "abc1", "abc2", "model.hidden=3"], ["model.hidden=3: runs are compared as they are"]),
        (["test", "abc123"], ["no runs yet"]),
        (["mlflow"], ["no runs yet"]),
    ],
)
def test_errors_exit_with_2_one_line_each_and_write_nothing(
    empty_workplace: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], messages: list[str]
) -> None:
    code, _, err = lab(capsys, *arguments)
    lines = err.splitlines()
    assert code == 2
    assert len(lines) == len(messages)
    assert all(message in line for message, line in zip(messages, lines, strict=True))
    assert not (empty_workplace / "mlruns").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "run", "--to", "onxx"], "--to: no such choice 'onxx'; did you mean onnx?"),
        (["explain", "run", "--split", "train"], "--split: no such choice 'train'; known: test, val"),
        (["study", "mlp", "--sampler", "tp"], "--sampler: no such choice 'tp'; did you mean tpe?"),
        (["study", "mlp", "--pruner", "mediann"], "--pruner: no such choice 'mediann'; did you mean median?"),
        (["compare", "a", "b", "--reduce", "lst"], "--reduce: no such choice 'lst'; did you mean last?"),
        (["study", "mlp", "--trials", "many"], "--trials: invalid int value: 'many'"),
        (["exprt", "run"], "no such command 'exprt'; did you mean export?"),
        (["export", "run"], "the following arguments are required: --to; `lab export --help` lists them"),
    ],
)
def test_a_wrong_argument_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert lab(capsys, *arguments) == (2, "", f"lab: {message}\n")


def test_a_yaml_error_is_reported_with_its_line(empty_workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (empty_workplace / "experiments" / "bad.yaml").write_text("data: {kind: digits\nmodel: {kind: mlp}\n")
    code, _, err = lab(capsys, "run", "bad")
    assert code == 2
    assert "experiments/bad.yaml: line 2, column" in err


def test_an_unwritable_store_is_reported_before_training(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.journals().write_text("a file where the folder should be")
    code, _, err = lab(capsys, "run", "linear")
    assert code == 2
    assert "mlruns/journal: cannot be written" in err


def test_an_invalid_store_address_is_refused(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "htp://user:secret@host")
    code, _, err = lab(capsys, "run", "linear")
    assert code == 2
    assert "MLFLOW_TRACKING_URI: 'htp://host' is not the address of a store" in err
    assert "secret" not in err


def test_a_store_that_does_not_answer_is_reported_when_reading(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    began = time.monotonic()
    code, _, err = lab(capsys, "test", "abc123")
    assert code == 2
    assert "the store http://127.0.0.1:9 does not answer" in err
    assert time.monotonic() - began < 30


def test_doctor_shows_versions_device_and_store(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = lab(capsys, "doctor")
    assert code == 0
    for word in ("torch", "device", "precisions", "threads", "mlflow.db", "yes, 1 experiments"):
        assert word in out


class TestCheck:
    """`lab check` tries an experiment and records nothing."""

    def test_the_figures_are_printed(self, tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, _ = lab(capsys, "check", tiny, "model.dropout=0.5")
        assert code == 0
        assert "mlp, 1,210 parameters" in out
        assert "a guess, the same probability for every class, costs 2.3026" in out
        assert "export      a model that predicts without the lab" in out
        assert [line.split()[0] for line in out.splitlines()[-2:]] == ["linears.0", "head"]
        assert not store.client().search_runs(["0", "1"])

    def test_a_mistake_is_one_line(self, tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, err = lab(capsys, "check", tiny, "optimizer={kind: torch.optim.LBFGS}")
        assert (code, out) == (2, "")
        assert err.startswith("lab: optimizer: torch.optim.LBFGS fails to take a step")
        assert err.count("\n") == 1

    def test_without_a_name_every_experiment_has_a_line(
        self, tiny: str, workplace: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for path in (workplace / "experiments").glob("*.yaml"):
            if path.stem not in (tiny, "linear"):
                path.unlink()
        (workplace / "experiments" / "broken.yaml").write_text("data: {kind: nothing}\nmodel: {kind: mlp}\n")
        code, out, _ = lab(capsys, "check")
        broken, linear, last = out.splitlines()
        assert code == 2
        assert "no such kind 'nothing'" in broken
        assert linear.startswith("linear                first loss 2.")
        assert last.startswith("tiny  ")


OWN = """
import os
from lab.data.base import SampleDataModule
from torch import nn

class Interrupts(nn.Module):
    def __init__(self, in_features: int):
        raise KeyboardInterrupt

class OwnError(BaseException):
    def __str__(self):
        raise ValueError("no text")

class Raises(nn.Module):
    def __init__(self, in_features: int):
        raise OwnError

class Escapes(nn.Module):
    def __init__(self, in_features: int):
        raise RuntimeError("red \\x1b[31m")
"""


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("Interrupts", 130, "lab: interrupted (raising.py:8)"),
        ("Raises", 2, "lab: OwnError: (its message cannot be read) (raising.py:16)"),
        ("Escapes", 2, r"lab: model: raising:Escapes cannot be built: RuntimeError: red \x1b[31m (raising.py:20)"),
    ],
)
def test_whatever_own_code_raises_is_one_line_with_its_place(
    name: str,
    code: int,
    message: str,
    tiny: str,
    workplace: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (workplace / "raising.py").write_text(OWN)
    monkeypatch.delitem(sys.modules, "raising", raising=False)
    ended, _, err = lab(capsys, "check", tiny, f"model={{kind: 'raising:{name}'}}")
    assert (ended, err) == (code, f"{message}\n")


def test_sys_exit_while_a_file_is_imported_is_no_success(
    tiny: str, workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "ends.py").write_text("import os, sys\nos.chdir('/')\nsys.exit(0)\n")
    monkeypatch.delitem(sys.modules, "ends", raising=False)
    code, _, err = lab(capsys, "run", tiny, "model={kind: 'ends:Net'}")
    assert (code, err) == (2, "lab: model.kind: importing ends failed: SystemExit: 0 (ends.py:3)\n")
    assert Path.cwd() == workplace


def test_text_of_a_person_is_printed_with_its_control_characters_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    SafeConsole(width=80).print(Table("a\x1b[31m\x07"), "b\u202ec", "d\x9be", "f\x1b[2Jg")
    printed = capsys.readouterr().out
    assert r"b\u202ec d\x9be f\x1b[2Jg" in printed
    assert not set(printed) & set("\x1b\x07\u202e\x9b\r")


def test_arguments_are_shown_escaped_too(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = lab(capsys, "list", "\x1b[31m")
    assert code == 2
    assert err.endswith(r"unrecognized arguments: \x1b[31m" + "\n")
