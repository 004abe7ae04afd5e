"""Workers on this machine: how many, what they see of it, and what becomes of failures."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from waiting import wait_until

from lab.config.experiment import load
from lab.errors import LabError, TrainingFailed
from lab.parallel import machine, template
from lab.parallel.jobs import Job, Outcome, Resources
from lab.parallel.local_workers import LocalWorkers, gpus_of
from lab.parallel.workers import InProcess, default_count, open_workers, run_jobs

START_PROCESS = template.start_process  # before conftest.py replaces it by one that is warm
# A loss that ends its process, or tells its settings.
ENDING = """
import os, signal
from torch import nn

class Ending(nn.CrossEntropyLoss):
    def __init__(self, sees=""):
        super().__init__()
        if sees == "nothing":
            os.kill(os.getpid(), signal.SIGKILL)
        if sees:
            raise ValueError(f"{os.environ.get(sees)} in {os.path.basename(os.getcwd())}")
"""


@pytest.fixture
def ending(tiny: str, workplace: Path) -> str:
    (workplace / "ending.py").write_text(ENDING)
    return tiny


def trained(pool: LocalWorkers, *settings: tuple[str, ...]) -> tuple[list[Outcome], list[tuple[int, int]]]:
    """The outcomes of a training with each of the settings, and the epochs that were reported."""
    jobs = [Job(number, "tiny", load("tiny", each).to_yaml()) for number, each in enumerate(settings)]
    outcomes: list[Outcome] = []
    epochs: list[tuple[int, int]] = []

    def on_epoch(number: int, epoch: int, values: dict[str, float]) -> bool:
        epochs.append((number, epoch))
        return number == 1 and epoch == 1

    waiting = iter(jobs)
    try:
        run_jobs(pool, lambda: next(waiting, None), on_epoch, outcomes.append)
    finally:
        pool.close()
    return sorted(outcomes, key=lambda outcome: outcome.number), sorted(epochs)


def test_jobs_report_each_epoch_and_stop_when_told(tiny: str) -> None:
    outcomes, epochs = trained(LocalWorkers(2, [load("tiny")]), *[("trainer.max_epochs=3",)] * 3)
    assert [outcome.state for outcome in outcomes] == ["finished", "pruned", "finished"]
    assert epochs == [(0, 1), (0, 2), (0, 3), (1, 1), (2, 1), (2, 2), (2, 3)]


def test_a_worker_that_dies_is_replaced_and_its_job_is_lost(ending: str) -> None:
    dies = ("loss={kind: 'ending:Ending', sees: nothing}",)
    outcomes, _ = trained(LocalWorkers(2, [load("tiny")]), dies, ("seed=1",), dies, ("seed=2",), ("seed=3",))
    assert [outcome.state for outcome in outcomes] == ["lost", "pruned", "lost", "finished", "finished"]
    assert outcomes[0].reason.endswith(": its worker died")


def test_modules_are_found_where_this_process_finds_them(
    tiny: str, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "elsewhere").mkdir()
    for name in ("far_away", "antigravity"):  # and not the one of Python's library
        (workplace / "elsewhere" / f"{name}.py").write_text("from torch.nn import CrossEntropyLoss as Loss")
    monkeypatch.syspath_prepend(workplace / "elsewhere")
    settings = ("loss={kind: 'far_away:Loss'}",), ("loss={kind: 'antigravity:Loss'}", "seed=1")
    outcomes, _ = trained(LocalWorkers(2, [load("tiny")]), *settings)
    assert [(outcome.state, outcome.reason) for outcome in outcomes] == [("finished", ""), ("pruned", "")]


def test_a_file_of_the_user_named_like_a_module_of_python_stops_no_worker(tiny: str, workplace: Path) -> None:
    for name in ("queue", "struct", "socket"):
        (workplace / f"{name}.py").write_text("raise SystemExit('not for the lab')")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(template, "start_process", START_PROCESS)
        outcomes, _ = trained(LocalWorkers(2, [load("tiny")]), ("seed=1",))
    assert [outcome.state for outcome in outcomes] == ["finished"]


def kept() -> list[psutil.Process]:
    """The templates that wait for the next call."""
    return [psutil.Process(each._process.pid) for each in template._idle]


def test_a_second_call_has_the_template_of_the_first_and_its_own_folder_and_environment(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(LocalWorkers(2, [load("tiny")]), ("seed=1",))
    (first,) = kept()
    assert not first.children()  # the workers have ended
    shutil.copytree(Path.cwd(), tmp_path / "another")
    monkeypatch.chdir(tmp_path / "another")
    monkeypatch.setenv("OF_THE_CALL", "set now")
    (outcome,), _ = trained(LocalWorkers(2, [load("tiny")]), ("loss={kind: 'ending:Ending', sees: OF_THE_CALL}",))
    assert "set now in another" in outcome.reason
    assert kept() == [first]


def test_a_template_that_was_killed_meanwhile_is_replaced(tiny: str) -> None:
    trained(LocalWorkers(2, [load("tiny")]), ("seed=1",))
    kept()[0].kill()
    wait_until(lambda: not template._idle[0].is_running())
    outcomes, _ = trained(LocalWorkers(2, [load("tiny")]), ("seed=1",))
    assert [outcome.state for outcome in outcomes] == ["finished"]


def test_a_template_that_does_not_answer_is_not_kept(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(LocalWorkers(2, [load("tiny")]), ("seed=1",))
    (frozen,) = kept()
    frozen.suspend()
    monkeypatch.setattr(template, "SECONDS_TO_END_WORKERS", 0.1)
    template.keep(template.take())
    assert not kept()
    wait_until(lambda: not frozen.is_running() or frozen.status() == psutil.STATUS_ZOMBIE)


def test_workers_that_train_end_when_they_are_closed(tiny: str) -> None:
    pool = LocalWorkers(2, [load("tiny")])
    pool.submit(Job(0, "tiny", load("tiny", ["trainer.max_epochs=10000"]).to_yaml()))
    with pytest.raises(StopIteration):
        pool.wait(lambda number, epoch, values: next(iter(())), lambda: None)  # it trains
    workers = psutil.Process(pool._templates[0]._process.pid).children()
    pool.close()
    assert len(workers) == 2
    assert not psutil.wait_procs(workers, timeout=10)[1]
    assert not kept()


@pytest.fixture
def as_on_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes do not fork: each worker has imported by itself."""
    code = "from lab.parallel import local_process, template; template.FORKS = False; local_process.main()"

    def start_process(control: object, log: int) -> "subprocess.Popen[bytes]":
        number = control.fileno()  # type: ignore[attr-defined]
        command = [sys.executable, "-P", "-c", code, str(number)]
        return subprocess.Popen(command, pass_fds=[number], start_new_session=True)

    monkeypatch.setattr(template, "FORKS", False)
    monkeypatch.setattr(template, "start_process", start_process)


def test_where_processes_do_not_fork_each_worker_is_one_of_its_own(tiny: str, as_on_other_systems: None) -> None:
    pool = LocalWorkers(2, [load("tiny")])
    there = [child for child in psutil.Process().children() if "local_process.main" in " ".join(child.cmdline())]
    assert len(there) == 2
    outcomes, _ = trained(pool, ("seed=1",), ("seed=2",), ("seed=3",))
    assert [outcome.state for outcome in outcomes] == ["finished", "pruned", "finished"]
    assert not any(process.is_running() for process in there)


def test_where_processes_do_not_fork_any_of_them_is_replaced(ending: str, as_on_other_systems: None) -> None:
    dies, lives = ("loss={kind: 'ending:Ending', sees: nothing}",), ("trainer.max_epochs=1",)
    outcomes, _ = trained(LocalWorkers(2, [load("tiny")]), dies, dies, lives, lives, lives)
    assert [outcome.state for outcome in outcomes] == ["lost", "lost", "finished", "finished", "finished"]


def test_workers_that_cannot_be_started_are_said(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def start_process(control: object, log: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-c", "import sys; sys.exit('no torch here')"], stderr=log)

    monkeypatch.setattr(template, "start_process", start_process)
    with pytest.raises(TrainingFailed, match=r"be started \(exit code 1 no torch here\); --workers 1 trains"):
        trained(LocalWorkers(2, [load("tiny")]), ("seed=1",))


class TestTheMachine:
    """How many trainings it carries, and which GPUs each of them sees."""

    def test_there_are_as_many_as_it_has_processors_and_memory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3})
        monkeypatch.setattr(machine, "CGROUP", tmp_path)
        memory = psutil.virtual_memory()._replace(available=100e9)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
        assert default_count(Resources()) == 4
        assert default_count(Resources(cpus=2)) == 2
        monkeypatch.setattr(psutil, "virtual_memory", lambda: memory._replace(available=3.5e9))
        assert default_count(Resources()) == 3
        monkeypatch.setattr(psutil, "virtual_memory", lambda: memory._replace(available=1e6))
        assert default_count(Resources()) == 1

    def test_a_container_has_its_share_of_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
        monkeypatch.setattr(machine, "CGROUP", tmp_path)
        (tmp_path / "cpu.max").write_text("350000 100000\n")
        assert machine.processors() == 3
        (tmp_path / "cpu.max").write_text("max 100000\n")
        assert machine.processors() == 64
        (tmp_path / "memory.max").write_text("4000000000\n")
        (tmp_path / "memory.current").write_text("3999999000\n")
        assert machine.free_memory() == 1000

    def test_a_training_of_two_threads_takes_two_processors(self, tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2})
        assert Resources.of([load("tiny"), load("tiny", ["threads=2"])]) == Resources(2)
        assert Resources.of([load("tiny", ["threads=8"])]) == Resources(3)

    def test_a_gpu_is_shared_only_where_a_training_says_its_share(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        assert default_count(Resources()) == 1
        assert default_count(Resources(gpus=0.3)) == 6  # a training cannot have parts of two

    @pytest.mark.parametrize(
        ("gpus", "seen"),
        [
            (0, [None, None]),
            (0.5, ["0", "0", "1", "1", "2"]),
            (0.3, ["0", "0", "0", "1"]),
            (1, ["0", "1", "2"]),
            (2, ["0,1", "2,3"]),
        ],
    )
    def test_each_worker_sees_its_own(
        self, gpus: float, seen: list[str | None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
        assert [gpus_of(place, Resources(gpus=gpus)) for place in range(len(seen))] == seen
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,5,3,1")
        if gpus == 1:
            assert [gpus_of(place, Resources(gpus=gpus)) for place in range(3)] == ["7", "5", "3"]

    def test_a_worker_is_told_what_it_sees(self, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        sees = ("loss={kind: 'ending:Ending', sees: CUDA_VISIBLE_DEVICES}", "resources.gpus=1")
        outcomes, _ = trained(LocalWorkers(2, [load("tiny", sees)]), sees, sees)
        assert sorted(outcome.reason.rpartition(": ")[2][0] for outcome in outcomes) == ["0", "1"]

    def test_more_workers_than_gpus_are_refused(self, tiny: str) -> None:
        with pytest.raises(LabError, match=r"--workers 2: there is room for 0, each with 1 CPU and 1 GPU"):
            LocalWorkers(2, [load("tiny", ["resources.gpus=1"])])

    def test_one_training_at_once_stays_in_the_process(self, tiny: str) -> None:
        assert isinstance(open_workers(1, [load("tiny")]), InProcess)
