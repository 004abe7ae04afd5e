"""What a call gets in a process that lives on: code and data as they are now, and the process left as it was."""

import random
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch

from lab.api import calls
from lab.config import experiment, kinds
from lab.errors import Stopped
from lab.parallel import jobs

pytestmark = pytest.mark.usefixtures("empty_workplace")


def test_the_callers_random_numbers_threads_and_warnings_stay_as_they_were() -> None:
    threads, filters = torch.get_num_threads(), list(warnings.filters)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1]
    with pytest.raises(ZeroDivisionError), calls.training(""):  # noqa: PT012
        L.seed_everything(7, verbose=False)
        torch.set_num_threads(threads + 1)
        warnings.simplefilter("ignore")
        raise ZeroDivisionError
    assert torch.get_num_threads() == threads
    assert warnings.filters == filters
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2])


def test_the_calls_of_two_threads_follow_one_another() -> None:
    log: list[str] = []

    def work() -> None:
        with calls.training(""):
            log.append("second")

    with calls.training(""):
        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.1)
        with calls.training(""):  # the same thread does not wait for itself
            log.append("first")
    thread.join(timeout=10)
    assert log == ["first", "second"]


def test_ctrl_c_becomes_a_keyboard_interrupt_that_says_how_to_go_on() -> None:
    with (
        pytest.raises(KeyboardInterrupt, match=r"^stopped; the same call continues$"),
        calls.training("the same call continues"),
    ):
        raise Stopped(signal.SIGINT)


@pytest.fixture
def received() -> Iterator[list[int]]:
    found: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: found.append(number))
    yield found
    signal.signal(signal.SIGTERM, before)


def test_another_signal_is_passed_on_to_the_callers_own_handler(received: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt), calls.training(""):
        raise Stopped(signal.SIGTERM)
    assert received == [signal.SIGTERM]


CODE = """
from torch import nn
from {helper} import WIDTH
class Net(nn.Module):
    width = WIDTH
"""


def width_of(module: str) -> int:
    with calls.training(""):
        return kinds.find("model", f"{module}:Net").width  # type: ignore[attr-defined]


def test_code_that_was_edited_since_is_read_anew_with_what_imports_it(empty_workplace: Path) -> None:
    (empty_workplace / "idea_of_calls.py").write_text(CODE.format(helper="helper_of_calls"))
    helper = empty_workplace / "helper_of_calls.py"
    helper.write_text("WIDTH = 4\n")
    assert width_of("idea_of_calls") == 4
    net = kinds.find("model", "idea_of_calls:Net")
    assert width_of("idea_of_calls") == 4
    assert kinds.find("model", "idea_of_calls:Net") is net  # unchanged code stays
    helper.write_text("WIDTH = 40\n")
    assert width_of("idea_of_calls") == 40


def test_data_that_was_changed_since_is_read_anew(empty_workplace: Path) -> None:
    file = empty_workplace / "points.csv"
    sections = {"data": {"kind": "table", "path": "points.csv", "target": "y"}, "model": {"kind": "linear"}}
    points = experiment.from_sections("points", "", sections)
    sizes = []
    for rows in (100, 200):
        file.write_text("x,y\n" + "".join(f"{row % 11}.25,{row % 7}.5\n" for row in range(rows)))
        with calls.training(""):
            assert jobs.prepared_data(points) is jobs.prepared_data(points)
            sizes.append(sum(len(split) for split in jobs.prepared_data(points).splits.values()))  # type: ignore[arg-type]
    assert sizes == [100, 200]


@pytest.mark.parametrize("progress", [True, False])
def test_progress_is_shown_on_stderr_unless_it_is_not_wanted(
    capsys: pytest.CaptureFixture[str], progress: bool
) -> None:
    calls.console(progress).print("epoch 1")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == ("epoch 1\n" if progress else "")
