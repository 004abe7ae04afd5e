"""torchmetrics does not import scipy.signal where the lab imports it; that module is what it is without the lab."""

import subprocess
import sys
from pathlib import Path

import pytest

LOADED = "print('scipy.signal' in sys.modules, 'scipy.stats' in sys.modules)"
USES = {
    "attribute": "import scipy; print(*scipy.signal.windows.hann(3))",
    "name": "from scipy.signal import windows; print(*windows.hann(3))",
    "submodule": "import scipy.signal.windows; print(*scipy.signal.windows.hann(3))",
    "all names": "from scipy.signal import *; print(*windows.hann(3))",
    "file": "from importlib.util import find_spec; print(*[0.0, 1.0, 0.0] * bool(find_spec('scipy.signal').origin))",
}


def printed(code: str) -> str:
    """What Python prints that runs the code in a process of its own."""
    return subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True).stdout.strip()


def test_training_imports_torchmetrics_without_it() -> None:
    assert printed(f"import sys, lab.parallel.jobs, torchmetrics; {LOADED}") == "False False"


def test_torchmetrics_alone_imports_it() -> None:
    """Holds for torchmetrics 1.9; where it no longer does, lab/torchmetrics_internals.py has nothing to do."""
    assert printed(f"import sys, torchmetrics; {LOADED}") == "True True"


def test_looking_whether_torchmetrics_is_there_changes_nothing() -> None:
    look = "import sys, importlib.util, lab; found = importlib.util.find_spec('torchmetrics').origin"
    assert (
        printed(f"{look}; import torchmetrics; print(found == torchmetrics.__file__); {LOADED}") == "True\nFalse False"
    )


@pytest.mark.parametrize("use", USES)
def test_whatever_uses_it_has_the_module_itself(use: str) -> None:
    assert printed(f"import lab.parallel.jobs; {USES[use]}") == "0.0 1.0 0.0"


def test_it_is_one_module_that_can_be_patched_and_sent_elsewhere() -> None:
    same = "from scipy.signal._ltisys import lti; import scipy.signal; print(lti is scipy.signal.lti)"
    assert printed(f"import lab.parallel.jobs; {same}") == "True"
    patch = "from unittest import mock; context = mock.patch('scipy.signal.butter', 'P'); context.start()"
    assert printed(f"import lab.parallel.jobs; {patch}; import scipy.signal; print(scipy.signal.butter)") == "P"
    send = (
        "import cloudpickle; from scipy import signal; print(len(cloudpickle.dumps(lambda x: signal.detrend(x))) > 0)"
    )
    assert printed(f"import lab.parallel.jobs; {send}") == "True"


def test_a_module_that_is_there_already_stays() -> None:
    before = "import scipy.signal as before, lab.parallel.jobs, sys"
    assert printed(f"{before}; print(sys.modules['scipy.signal'] is before, hasattr(before, 'hamming'))") == "True True"


def test_where_the_package_is_there_that_wants_the_name_torchmetrics_adds_it(tmp_path: Path) -> None:
    (tmp_path / "srmrpy.py").write_text("")
    path = f"import sys; sys.path.insert(0, {str(tmp_path)!r})"
    assert printed(f"{path}; import lab.parallel.jobs; from scipy.signal import hamming; print(len(hamming(5)))") == "5"


@pytest.mark.parametrize("use", USES)
def test_another_thread_may_use_it_while_torchmetrics_is_imported(use: str) -> None:
    lines = [
        "import importlib.util, lab, sys, threading",
        "def use():",
        "    while 'scipy.signal' not in sys.modules: pass",
        f"    {USES[use].replace('import *', 'import windows')}",  # a function cannot import all names
        "thread = threading.Thread(target=use)",
        "thread.start()",
        "import torchmetrics",
        "thread.join()",
    ]
    assert printed("\n".join(lines)) == "0.0 1.0 0.0"
