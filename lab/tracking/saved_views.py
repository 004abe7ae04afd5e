"""Saved views of the dashboard: a name for a page and its query, kept in the store as tags of one experiment."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.tracking import store

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "lab.saved-views"  # has no runs
PREFIX = "lab.view."
PAGES = ("runs", "compare")
MAX_NAME = 80
MAX_CONTENT = 4_900  # characters; MLflow keeps 5,000 of a tag


@dataclass(frozen=True)
class SavedView:
    """A page of the dashboard with its query, as in its address; `key` is the tag that holds it."""

    key: str
    name: str
    page: str
    query: dict[str, str | list[str]]


def all_views() -> list[SavedView]:
    """The saved views, by name; raises LabError where the store does not answer."""
    with _client() as client:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        tags = dict(experiment.tags) if experiment else {}
    found = [view for key, value in tags.items() if key.startswith(PREFIX) and (view := _parsed(key, value))]
    return sorted(found, key=lambda view: view.name.lower())


def _parsed(key: str, value: str) -> SavedView | None:
    """The view that a tag holds; None for a deleted one, or one that is not valid."""
    try:
        content = json.loads(value or "null")
        query = {str(name): part for name, part in content["query"].items() if isinstance(part, str | list)}
        view = SavedView(key, str(content["name"]), str(content["page"]), query)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return view if view.page in PAGES else None


def save(name: str, page: str, query: dict[str, str | list[str]]) -> None:
    """Save a view under a name, in place of one of that name; raises LabError."""
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise LabError(f"a view needs a name of 1 to {MAX_NAME} characters")
    content = json.dumps({"name": name, "page": page, "query": query})
    if len(content) > MAX_CONTENT:
        raise LabError("this view names too many runs to be saved; group or filter them, and save that")
    with _client() as client:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        experiment_id = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
        client.set_experiment_tag(experiment_id, f"{PREFIX}{_key(name)}", content)


def delete(view: SavedView) -> None:
    """Remove a saved view; raises LabError."""
    with _client() as client:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment and view.key in experiment.tags:
            client.set_experiment_tag(experiment.experiment_id, view.key, "")  # MLflow cannot delete one


def _key(name: str) -> str:
    """A name as MLflow takes it for a tag: letters and digits of ASCII, the rest by number."""
    return "".join(letter if letter.isascii() and letter.isalnum() else f"_{ord(letter):x}_" for letter in name)[:200]


@contextmanager
def _client() -> Iterator["MlflowClient"]:
    from mlflow.exceptions import MlflowException

    try:
        yield store.client()
    except (MlflowException, OSError) as error:
        raise LabError(f"saved views: {str(error).partition(chr(10))[0]}") from None
