"""Claims: of the drivers of one comparison in several folders, one drives at a time."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.tracking import claims, experiments, store
from lab.tracking.claims import claimed

ROUNDS = 10
RACE = """
import sys, time
from pathlib import Path
from lab.errors import LabError
from lab.tracking import store
from lab.tracking.claims import claimed

me, other, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
store.client().search_experiments()
for number in range(rounds):
    (me / str(number)).touch()
    while not (other / str(number)).exists():
        time.sleep(0.001)
    try:
        with claimed("race", f"compared-{number}", "somebody", me.name):
            (me / f"{number}.drives").touch()
            while not (other / f"{number}.refused").exists() and not (other / f"{number}.drives").exists():
                time.sleep(0.01)
    except LabError:
        (me / f"{number}.refused").touch()
"""


@pytest.fixture
def shared(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store outside the working folder; gives another folder that uses it too."""
    (workplace / "elsewhere").mkdir()
    shutil.copy(store.database(), workplace / "shared.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workplace}/shared.db")
    return workplace / "elsewhere"


def tags() -> list[str]:
    found = store.client().get_experiment_by_name("tiny")
    assert found is not None
    return [tag for tag in found.tags if tag.startswith(claims.TAG)]


def test_a_second_driver_is_told_who_drives_until_the_first_has_ended(shared: Path) -> None:
    with claimed("tiny", "compared", "ada on snail, process 7, since 2026-11-27 07:30", "a"), chdir(shared):
        with pytest.raises(LabError) as refused, claimed("tiny", "compared", "bob on hare, process 8", "b"):
            pass
        (line,) = refused.value.lines
        assert line.startswith("compared is being run by ada on snail, process 7, since 2026-11-27 07:30; wait for it")
        with claimed("tiny", "another", "bob on hare, process 8", "b"):
            pass
    with chdir(shared), claimed("tiny", "compared", "bob on hare, process 8", "b"):
        assert len(tags()) == 1
    assert tags() == []


def test_a_local_store_and_a_server_that_is_away_take_no_claims(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with claimed("tiny", "compared", "ada", "a"):
        assert store.client().get_experiment_by_name("tiny") is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with claimed("tiny", "compared", "ada", "a"):
        pass


def run_of(journal: str, heartbeat: float) -> str:
    """The run of a driver, whose sender reported that many seconds ago."""
    experiment = experiments.id_of(store.client(), "tiny")
    reported = str(round((time.time() - heartbeat) * 1000))
    run_tags = {store.JOURNAL_TAG: journal, store.HEARTBEAT_TAG: reported}
    return str(store.client().create_run(experiment, tags=run_tags).info.run_id)


def may_drive(folder: Path) -> bool:
    """Whether somebody else, in a folder, may."""
    try:
        with chdir(folder), claimed("tiny", "compared", "bob on hare, process 8", "b"):
            return True
    except LabError:
        return False


KILLED = """
import os
from lab.tracking.claims import claimed
with claimed("tiny", "compared", "ada on snail, process 7", "a"):
    os._exit(9)
"""


def killed(folder: Path) -> None:
    """A driver in another folder that is killed before it can withdraw its claim."""
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 9, done.stderr


def test_a_claim_counts_while_the_run_of_its_driver_runs_and_reports(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = run_of("a", heartbeat=0)
    store.client().set_terminated(earlier, "KILLED", 1_000)  # of a session that the driver continues
    killed(shared)
    assert not may_drive(shared.parent)  # young: its run may not be in the store yet
    (tag,) = tags()
    experiment = experiments.id_of(store.client(), "tiny")
    old = json.dumps(json.loads(claim_of(tag)) | {"time": round((time.time() - 400) * 1000)})
    store.client().set_experiment_tag(experiment, tag, old)
    run = run_of("a", heartbeat=5)
    assert not may_drive(shared.parent)
    store.client().set_tag(run, store.HEARTBEAT_TAG, str(round((time.time() - 301) * 1000)))
    assert may_drive(shared.parent)
    assert tags() == []


def test_a_driver_that_was_killed_is_followed_at_once(shared: Path) -> None:
    killed(shared)
    run = run_of("a", heartbeat=0)
    assert not may_drive(shared.parent)
    store.client().set_terminated(run, "KILLED")  # as its sender does
    assert may_drive(shared.parent)
    killed(shared)
    assert may_drive(shared)  # in the same folder, whose lock says that no other drives


def claim_of(tag: str) -> str:
    found = store.client().get_experiment_by_name("tiny")
    assert found is not None
    return str(found.tags[tag])


@pytest.mark.timeout(300)
def test_of_two_that_start_at_once_one_drives(shared: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    started = [
        subprocess.Popen([sys.executable, "-c", RACE, str(here), str(other), str(ROUNDS)], cwd=here)
        for here, other in (folders, folders[::-1])
    ]
    assert [process.wait() for process in started] == [0, 0]
    for number in range(ROUNDS):
        ends = sorted(path.suffix for folder in folders for path in folder.glob(f"{number}.*"))
        assert ends == [".drives", ".refused"], number
