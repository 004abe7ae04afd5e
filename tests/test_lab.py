"""What `import lab` offers, and what it costs."""

import subprocess
import sys

import pytest

import lab


def test_importing_the_lab_and_reading_runs_imports_nothing_heavy() -> None:
    code = (
        "import sys, lab\n"
        "assert 'run' in dir(lab)\n"
        "training = {'torch', 'lightning', 'mlflow'}\n"
        "heavy = (training | {'pandas', 'numpy', 'rich', 'lab.errors'}) & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "lab.runs, lab.curves\n"
        "assert not training & set(sys.modules), training & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_is_there_documented_and_listed() -> None:
    assert set(lab.__all__) == set(lab._MODULES)
    for name in lab.__all__:
        assert getattr(lab, name).__doc__
        assert name in dir(lab)
    assert lab.load.__module__ == "lab.inference.model"


def test_other_names_are_unknown() -> None:
    with pytest.raises(AttributeError, match="module 'lab' has no attribute 'runn'"):
        lab.runn  # noqa: B018
