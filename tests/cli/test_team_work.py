"""A study and a comparison of a person on the team's server, from a fresh folder, as docs/team.md says."""

import os
import shutil
import subprocess
from contextlib import chdir, suppress
from pathlib import Path

import psycopg
import pytest
import warm
from mlflow.entities import Run
from team import ADA, ADMIN, Team

from lab.tracking import server as asked
from lab.tracking import store

COMPARISON = """# Does a smaller network do?
base: small_team
settings: {trainer.max_epochs: 1}
arms:
  wide: {}
  narrow: {model.hidden: 4}
seeds: 3..3
"""
STUDY = ("study", "small_team", "--trials", "2", "--top", "1", "--seeds", "1", "--pruner", "none")
SPACE = "search:\n  optimizer.lr: {low: 0.001, high: 0.1, log: true}\n"


@pytest.fixture
def fresh(served: Team, tiny: str, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of ada's, whose variables name the server, her password and the storage of studies."""
    from mlflow.exceptions import MlflowException
    from mlflow.server import get_app_client

    for name, value in ADMIN.items():
        monkeypatch.setenv(name, value)
    with suppress(MlflowException):  # of another test
        get_app_client("basic-auth", tracking_uri=served.uri).create_user(*ADA.values())
    with psycopg.connect(f"{served.postgresql}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE studies")
    for name in ADMIN:
        monkeypatch.delenv(name)
    user, password = ADA.values()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", served.uri.replace("://", f"://{user}:{password}@"))
    monkeypatch.setenv("LAB_STUDY_STORAGE", f"{served.postgresql}/studies")
    asked.check_before_training.cache_clear()
    shutil.rmtree(store.root())
    (workplace / "experiments" / "comparisons" / "small.yaml").write_text(COMPARISON)
    content = (workplace / "experiments" / f"{tiny}.yaml").read_text()
    (workplace / "experiments" / "small_team.yaml").write_text(
        content.replace("max_epochs: 2", "max_epochs: 1") + SPACE
    )
    for command in ("init -q", "add experiments", "-c user.name=ada -c user.email=ada@example.org commit -qm first"):
        subprocess.run(["git", *command.split()], check=True)
    return workplace


def runs(kind: str) -> list[Run]:
    experiment = store.client().get_experiment_by_name("small_team")
    assert experiment is not None
    return list(store.client().search_runs([experiment.experiment_id], f"tags.`lab.kind` = '{kind}'"))


def ended(process: warm.Process) -> tuple[int | None, str]:
    _, told = process.communicate(timeout=150)
    return process.returncode, told


@pytest.mark.timeout(400)
def test_a_study_and_a_comparison_of_two_people_at_once(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert ended(warm.lab(*STUDY))[0] == 0
    elsewhere = shutil.copytree(fresh, tmp_path_factory.mktemp("elsewhere") / "project")
    first = warm.lab("compare", "small")
    with chdir(elsewhere):
        second = warm.lab("compare", "small")
    codes, told = zip(*(ended(each) for each in (first, second)), strict=True)
    assert sorted(codes) == [0, 2], told
    (refused,) = [line for code, text in zip(codes, told, strict=True) if code == 2 for line in text.splitlines()]
    assert f"is being run by {os.environ.get('USER', 'root')} on {os.uname().nodename}, process" in refused

    trials, (study,), (comparison,) = runs("trial"), runs("study"), runs("comparison")
    replicates = runs("replicate")
    assert len(trials) == 2
    assert sorted(run.data.tags["lab.arm"] for run in replicates) == ["narrow"] * 3 + ["wide"] * 3
    experiment = store.client().get_experiment_by_name("small_team")
    assert experiment is not None
    everything = store.client().search_runs([experiment.experiment_id])
    assert {run.info.status for run in everything} == {"FINISHED"}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    for run in (*trials, study, comparison, *replicates):
        seen = run.data.tags
        assert seen["mlflow.user"] == "ada"
        assert seen["mlflow.source.name"].startswith("lab ")
        assert seen["mlflow.source.git.commit"] == commit
        assert seen["machine.host"] == os.uname().nodename
        assert ADA["MLFLOW_TRACKING_PASSWORD"] not in str(run.to_dictionary())
        assert [each.dataset.name for each in run.inputs.dataset_inputs], run.data.tags["lab.kind"]
    assert not [tag for tag in experiment.tags if tag.startswith("lab.driver")]
    assert not list(store.journals().glob("[!.]*"))
