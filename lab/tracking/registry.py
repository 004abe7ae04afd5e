"""A run's model under a name of its own in MLflow's registry, where others find it without knowing the run."""

from dataclasses import dataclass

from lab.errors import LabError
from lab.tracking import models
from lab.tracking.reader import StoredRun


@dataclass(frozen=True)
class Version:
    """A registered version, and the number of the one that had its alias before, where there was another."""

    name: str
    number: str
    alias: str
    before: str | None

    @property
    def uri(self) -> str:
        """What MLflow loads it by."""
        return f"models:/{self.name}@{self.alias}"


def promote(run: StoredRun, name: str, alias: str) -> Version:
    """Register the model of a run as the next version of `name`, and give it the alias; raises LabError.

    A run that is a version already stays that version.
    """
    from mlflow.exceptions import MlflowException

    model_id = models.model_id(run)
    try:
        before = _with_alias(run, name, alias)
        number = _version_of(run, name) or _registered(run, name, model_id)
        run.client.set_registered_model_alias(name, alias, number)
    except MlflowException as error:
        raise LabError(f"not promoted: {str(error).splitlines()[0][:200]}") from None
    return Version(name, number, alias, before if before != number else None)


def _with_alias(run: StoredRun, name: str, alias: str) -> str | None:
    """The number of the version that has the alias now; makes the registered model where there is none."""
    if not run.client.search_registered_models(f"name = '{_quotable(name)}'"):
        run.client.create_registered_model(name)
        return None
    aliases = run.client.get_registered_model(name).aliases
    return str(aliases[alias]) if alias in aliases else None


def _version_of(run: StoredRun, name: str) -> str | None:
    found = run.client.search_model_versions(f"name = '{_quotable(name)}' AND run_id = '{run.id}'")
    return str(found[0].version) if found else None


def _registered(run: StoredRun, name: str, model_id: str) -> str:
    tags = {"lab.run": run.id, "lab.run_name": run.name, "lab.experiment": run.experiment}
    made = run.client.create_model_version(name, f"models:/{model_id}", run.id, tags=tags, model_id=model_id)
    return str(made.version)


def _quotable(name: str) -> str:
    """The name, where it can stand in MLflow's filters and addresses; raises LabError."""
    if not name.strip() or any(sign in name for sign in "'\"/:@\\"):
        raise LabError(f"--as '{name}': a name of letters, digits, spaces, - and _ is needed")
    return name
