"""What of the working folder travels to the nodes of a cluster, what a training takes, and what differs there."""

import subprocess
from pathlib import Path

import pytest

from lab.config.experiment import load
from lab.errors import LabError
from lab.parallel import working_folder
from lab.parallel.jobs import Resources
from lab.parallel.rehearsal import Surroundings, difference
from lab.parallel.workers import open_workers


@pytest.fixture
def project(tiny: str, workplace: Path) -> Path:
    """A project in git, whose data git ignores."""
    for path in ("my_ideas.py", "data/small.csv", "data/other.csv", ".env", "notes.txt"):
        (workplace / path).parent.mkdir(exist_ok=True)
        (workplace / path).write_text("a,b\n1,2\n")
    (workplace / ".gitignore").write_text("data/\nmlruns/\n")
    subprocess.run(["git", "init", "--quiet"], check=True, cwd=workplace)
    return workplace


def copied(target: Path, *overrides: str) -> set[str]:
    shipped = working_folder.copy([load("tiny", overrides)], target)
    files = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert shipped.files == len(files)
    assert shipped.bytes == sum((target / each).stat().st_size for each in files)
    return {each for each in files if not each.startswith("experiments/")}


def test_what_git_ignores_stays_unless_the_data_section_names_it(project: Path) -> None:
    of_git = {"my_ideas.py", "notes.txt"}
    assert copied(project / "mlruns" / "one") == of_git
    table = "data={kind: table, path: data/small.csv, target: b}"
    assert copied(project / "mlruns" / "two", table) == {*of_git, "data/small.csv"}


def test_without_git_all_but_what_is_hidden_travels(project: Path) -> None:
    subprocess.run(["rm", "-r", ".git"], check=True, cwd=project)
    assert copied(project / "mlruns" / "one") == {"my_ideas.py", "notes.txt", "data/small.csv", "data/other.csv"}


def test_too_much_is_refused_and_the_largest_file_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "large.bin").write_bytes(b"\0" * 3_000_000)
    monkeypatch.setattr(working_folder, "MOST_MEGABYTES", 2)
    with pytest.raises(
        LabError, match=r"^the working folder has 3 MB .* more than 2; the largest is large.bin \(3 MB\)"
    ):
        copied(project / "mlruns" / "one")
    assert not (project / "mlruns" / "one").exists()


@pytest.mark.parametrize(
    ("resources", "machine", "trainings"),
    [
        (Resources(), {"CPU": 4.0}, 4),
        (Resources(2.0), {"CPU": 5.0}, 2),
        (Resources(1.0, 0.25), {"CPU": 16.0, "GPU": 2.0}, 8),
        (Resources(4.0, 0.25), {"CPU": 16.0, "GPU": 2.0}, 4),
        (Resources(0.1), {"CPU": 1.0}, 10),  # 1 / 0.1 is 10.000000000000000 or a little less
        (Resources(1.0, 1.0), {"CPU": 16.0}, 0),
    ],
)
def test_how_many_trainings_fit_on_a_machine(resources: Resources, machine: dict[str, float], trainings: int) -> None:
    assert resources.fit(machine) == trainings


def test_the_most_that_an_arm_asks_for_counts(tiny: str) -> None:
    arms = [load("tiny"), load("tiny", ["resources.cpus=2"]), load("tiny", ["resources.gpus=0.5"])]
    assert Resources.of(arms) == Resources(2.0, 0.5)
    assert str(Resources.of(arms)) == "2 CPUs and 0.5 GPUs"
    assert arms[1].identity() == arms[0].identity()  # they change no result
    with pytest.raises(LabError, match=r"resources\.gpu: no such setting; did you mean resources\.gpus"):
        load("tiny", ["resources.gpu=1"])


def test_what_nobody_has_is_refused(tiny: str) -> None:
    with pytest.raises(LabError, match=r"^resources: a training needs 1 CPU and 1000 GPUs, and this machine has"):
        open_workers(1, [load("tiny", ["resources.gpus=1000"])])


@pytest.mark.parametrize(
    ("there", "line", "unfit"),
    [
        (Surroundings({"torch": "2.13"}, ["a"]), "", False),
        (Surroundings({"torch": "2.12"}, ["a"]), "torch 2.12 (here 2.13)", False),
        (Surroundings({"torch": "2.13"}, ["b"]), "its data is not the same as here", True),
        (Surroundings({"torch": "2.12"}, [], "no module"), "no module, torch 2.12 (here 2.13)", True),
    ],
)
def test_what_differs_on_a_node_is_said(there: Surroundings, line: str, unfit: bool) -> None:
    assert difference(there, Surroundings({"torch": "2.13"}, ["a"])) == (line, unfit)
