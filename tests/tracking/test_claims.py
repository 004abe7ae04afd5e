"""Claims: of the drivers of one comparison in several folders, one drives at a time."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import chdir, closing
from pathlib import Path
from threading import Timer

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
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with claimed("tiny", "compared", "ada", "a"):
        assert store.client().get_experiment_by_name("tiny") is None
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with claimed("tiny", "compared", "ada", "a"):
        pass
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lab: compared is not claimed, since the store http://127.0.0.1:9 does not answer")


def test_a_store_that_fails_to_take_a_claim_costs_no_run(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.client().search_experiments()
    with closing(sqlite3.connect(shared.parent / "shared.db")) as connection:
        connection.execute("ALTER TABLE experiment_tags RENAME TO gone")
    with claimed("tiny", "compared", "ada", "a"):
        pass
    line = capsys.readouterr().err.splitlines()[-1]  # MLflow prints what SQLite says
    assert line.startswith("lab: compared is not claimed, since the store sqlite:")


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
    claimed_before(seconds=400)
    run = run_of("a", heartbeat=5)
    assert not may_drive(shared.parent)
    report(run, time.time() - 301)
    monkeypatch.setattr(claims, "WAIT_SECONDS", 0.1)
    assert may_drive(shared.parent)
    assert tags() == []


@pytest.mark.parametrize("ahead", [3600, -3600])
def test_a_driver_whose_clock_is_wrong_lives_while_it_reports(
    shared: Path, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    killed(shared)
    claimed_before(-ahead)
    run = run_of("a", heartbeat=-ahead)
    monkeypatch.setattr(claims, "WAIT_SECONDS", 1.0)
    sender = Timer(0.5, report, (run, time.time() + ahead + 15))
    sender.start()
    assert not may_drive(shared.parent)
    sender.join()
    assert may_drive(shared.parent)  # it reports no more


def test_a_run_that_ends_by_a_clock_that_is_behind_has_ended(shared: Path) -> None:
    run = run_of("a", heartbeat=0)
    store.client().set_terminated(run, "KILLED", round((time.time() - 9000) * 1000))
    killed(shared)
    assert not may_drive(shared.parent)  # the end of the session before
    store.client().set_terminated(run, "KILLED", round((time.time() - 3600) * 1000))
    assert may_drive(shared.parent)


def test_the_same_host_and_path_in_another_container_is_another_folder(shared: Path) -> None:
    killed(shared)
    change(store="that of the other")
    assert not may_drive(shared)


def test_a_claim_that_cannot_be_read_counts_until_it_is_deleted(shared: Path) -> None:
    killed(shared)
    change(of_a_later_version=1)
    assert not may_drive(shared.parent)
    (tag,) = tags()
    for text in ("[1]", "edited", "{}"):
        put(text)
        with pytest.raises(LabError) as refused, claimed("tiny", "compared", "bob", "b"):
            pass
        (line,) = refused.value.lines
        assert line.startswith("compared is claimed by a tag of the store that this version of the lab cannot read")
        assert tags() == [tag]
    command = re.fullmatch(r'.*delete that tag: \.venv/bin/python -c "(.*)"', line)
    assert command
    subprocess.run([sys.executable, "-c", command[1]], check=True)
    assert may_drive(shared.parent)


def test_a_driver_whose_claim_another_removed_is_refused_or_drives(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_own = claims._Contest._put

    def put_and_lose(contest: claims._Contest, claim: claims.Claim) -> None:
        put_own(contest, claim)
        contest.leave()

    monkeypatch.setattr(claims._Contest, "_put", put_and_lose)
    assert may_drive(shared)


def test_a_driver_that_was_killed_is_followed_at_once(shared: Path) -> None:
    killed(shared)
    run = run_of("a", heartbeat=0)
    assert not may_drive(shared.parent)
    store.client().set_terminated(run, "KILLED")  # as its sender does
    assert may_drive(shared.parent)
    killed(shared)
    assert may_drive(shared)  # in the same folder, whose lock says that no other drives


def put(text: str) -> None:
    """Replace the text of the only claim."""
    (tag,) = tags()
    store.client().set_experiment_tag(experiments.id_of(store.client(), "tiny"), tag, text)


def change(**fields: object) -> None:
    """Change fields of the only claim."""
    (tag,) = tags()
    found = store.client().get_experiment_by_name("tiny")
    assert found is not None
    put(json.dumps(json.loads(found.tags[tag]) | fields))


def claimed_before(seconds: float) -> None:
    change(time=round((time.time() - seconds) * 1000))


def report(run: str, moment: float) -> None:
    """What the sender of a run reports."""
    store.client().set_tag(run, store.HEARTBEAT_TAG, str(round(moment * 1000)))


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
