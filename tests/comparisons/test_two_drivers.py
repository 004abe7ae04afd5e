"""Two drivers of one comparison in a shared store that lost sight of each other: one gives way before a new round."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager, suppress
from pathlib import Path

import pytest
import warm
from mlflow.entities import Run
from waiting import GATED, let_pass, open_gate, wait_until

from lab.errors import LabError
from lab.tracking import claims, store
from lab.tracking.claims import claimed

COMMAND = ("compare", "mine", "model={kind: 'gated:Gated'}", "trainer.max_epochs=3")
COMPARISON = "# Which?\nbase: tiny\narms:\n  slow: {optimizer.lr: 1e-5}\n  fast: {optimizer.lr: 0.01}\nseeds: 3..3\n"
FOLDS = ("run", "tiny", "--folds", "3", "model={kind: 'gated:Gated'}", "trainer.max_epochs=3")
LOST = "lab: the store was out of reach, and "


@pytest.fixture
def elsewhere(tiny: str, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Another folder that uses the same store as the working folder, which has a comparison."""
    (workplace / "elsewhere").mkdir()
    (workplace / "gated.py").write_text(GATED)
    (workplace / "experiments" / "comparisons" / "mine.yaml").write_text(COMPARISON)
    shutil.copy(store.database(), workplace / "shared.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workplace}/shared.db")
    monkeypatch.setattr(claims, "WAIT_SECONDS", 0.1)
    return workplace / "elsewhere"


def runs(kind: str) -> list[Run]:
    found = store.client().get_experiment_by_name("tiny")
    tag = f"tags.`lab.kind` = '{kind}'"
    return list(store.client().search_runs([found.experiment_id], tag)) if found else []


def driver() -> tuple[str, str, dict[str, object]]:
    """The experiment, the tag and the content of the claim of a driver, once it drives."""

    def drives() -> list[tuple[str, str, dict[str, object]]]:
        found = store.client().get_experiment_by_name("tiny")
        tags = found.tags.items() if found else ()
        claimed = [(found.experiment_id, tag, json.loads(text)) for tag, text in tags if tag.startswith(claims.TAG)]
        return [each for each in claimed if each[2]["drives"]]

    wait_until(drives)
    (one,) = drives()
    return one


def look_silent(kind: str) -> str:
    """Let a driver seem to have reported long ago; returns what it drives."""
    experiment, tag, claim = driver()
    store.client().set_experiment_tag(experiment, tag, json.dumps(claim | {"time": 1}))
    for run in runs(kind):
        store.client().set_tag(run.info.run_id, store.HEARTBEAT_TAG, "1")
    return tag.removeprefix(f"{claims.TAG}.").rpartition(".")[0]


@contextmanager
def taken_over(kind: str) -> Iterator[str]:
    """Drive what another one drives, whom we take for dead: between two reports of its sender."""
    with ExitStack() as stack:
        for _ in range(10):
            name = look_silent(kind)
            with suppress(LabError):
                stack.enter_context(claimed("tiny", name, "bob on hare, process 8", "b"))
                break
        yield name


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("command", "kind", "child", "round_size"),
    [(COMMAND, "comparison", "replicate", 2), (FOLDS, "cross-validation", "fold", 1)],
)
def test_a_driver_that_was_taken_for_dead_ends_before_its_next_round(
    elsewhere: Path, command: tuple[str, ...], kind: str, child: str, round_size: int
) -> None:
    first = warm.lab(*command)
    wait_until(lambda: runs(child) and runs(kind), process=first)
    with chdir(elsewhere), taken_over(kind) as name:
        (elsewhere.parent / "open").touch()
        _, told = first.communicate(timeout=120)
    assert first.returncode == 1
    assert told.startswith(f"{LOST}{name} is being run by bob on hare, process 8; wait for it, or stop it first")
    assert told.count("\n") == 1
    wait_until(lambda: {run.info.status for run in (*runs(child), *runs(kind))} <= {"FINISHED", "FAILED"})
    assert len(runs(child)) == round_size
    again = warm.lab(*command)  # bob has ended
    again.communicate(timeout=120)
    assert again.returncode == 0
    wait_until(lambda: {run.info.status for run in (*runs(child), *runs(kind))} == {"FINISHED"})
    assert len(runs(child)) == len({run.info.run_name for run in runs(child)}) == 3 * round_size


@pytest.mark.timeout(300)
def test_a_driver_whose_claim_is_gone_claims_again(elsewhere: Path) -> None:
    first = warm.lab(*COMMAND)
    wait_until(lambda: runs("replicate"), process=first)
    experiment, tag, _ = driver()
    store.client().delete_experiment_tag(experiment, tag)
    let_pass(2)
    wait_until(lambda: len(runs("replicate")) == 3)
    assert driver()[1] == tag
    open_gate()
    _, told = first.communicate(timeout=120)
    assert (first.returncode, told) == (0, "")
