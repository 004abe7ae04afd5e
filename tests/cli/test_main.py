"""The command line: output, errors and exit codes."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.cli import main
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
        if path.stem not in ("linear", "diabetes"):
            path.unlink()
    (empty_workplace / "experiments" / "broken.yaml").write_text("data: {kind: nothing}\nmodel: {kind: mlp}\n")
    code, out, _ = lab(capsys, "list")
    assert code == 0
    lines = out.splitlines()
    (row,) = (number for number, line in enumerate(lines) if line.startswith("linear"))
    assert "How accurate is a single linear layer" in lines[row]
    assert "mnist1d, linear, 410 parameters" in lines[row + 1]
    assert "no such kind 'nothing'" in out


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
