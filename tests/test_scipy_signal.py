"""scipy.signal is imported when it is used, and not by torchmetrics; its names are what they were."""

import subprocess
import sys

import pytest

USES = {
    "attribute": "import scipy; hann = scipy.signal.windows.hann",
    "name": "from scipy.signal import windows; hann = windows.hann",
    "submodule": "import scipy.signal.windows; hann = scipy.signal.windows.hann",
    "all names": "from scipy.signal import *; hann = windows.hann",
}


def printed(code: str) -> str:
    """What Python prints that runs the code in a process of its own."""
    return subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True).stdout.strip()


def test_training_does_not_import_it() -> None:
    heavy = "sorted({'scipy.signal._signaltools', 'scipy.stats', 'torchmetrics'} & {*sys.modules})"
    assert printed(f"import sys, lab.parallel.jobs; print({heavy})") == "['torchmetrics']"


def test_torchmetrics_alone_imports_it() -> None:
    """Holds for torchmetrics 1.9; where it no longer does, lab/scipy_signal.py has nothing to do."""
    assert printed("import sys, torchmetrics; print('scipy.signal._signaltools' in sys.modules)") == "True"


@pytest.mark.parametrize("use", USES)
def test_whatever_uses_it_imports_it(use: str) -> None:
    assert printed(f"import lab.parallel.jobs; {USES[use]}; print(*hann(3))") == "0.0 1.0 0.0"


def test_the_name_that_torchmetrics_adds_is_there_before_and_after() -> None:
    check = "from scipy.signal import hamming; from scipy.signal.windows import hamming as same; "
    assert printed(f"import torchmetrics; {check} print(hamming is same)") == "True"
    assert printed(f"import lab.parallel.jobs; {check} print(all(hamming(5) == same(5)))") == "True"
    late = "import scipy.signal.windows as windows; from scipy.signal import hamming"
    assert printed(f"import lab.parallel.jobs; {late}; print(hamming is windows.hamming)") == "True"


def test_a_module_that_is_there_already_stays() -> None:
    assert printed("import scipy.signal as before, lab, sys; print(sys.modules['scipy.signal'] is before)") == "True"


def test_looking_at_all_modules_does_not_import_it() -> None:
    look = "[hasattr(module, '__file__') for module in list(sys.modules.values())]"
    assert printed(f"import sys, lab; {look}; print('scipy' in sys.modules)") == "False"


def test_it_can_be_found_before_it_is_imported() -> None:
    find = "import lab, importlib.util; print(importlib.util.find_spec('scipy.signal').name)"
    assert printed(find) == "scipy.signal"
