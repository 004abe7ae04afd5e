"""The tracking server at an http address, asked before a training: does it answer, does it take us, is it recent?"""

import os
import sys
from functools import cache
from urllib.parse import unquote, urlsplit

from lab.errors import LabError, see, without_password

SECONDS = 5.0  # for an answer
OLDEST = (3, 0)  # MLflow's version with logged models, which the lab records
UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404


@cache
def check_before_training(uri: str) -> None:
    """Raise LabError where the server at `uri` refuses us or is too old; print a line where it does not answer.

    A server that is away costs no run: records wait in the journal. Asked once per process.
    """
    if silence := check(uri):
        print(
            f"lab: the tracking server {without_password(uri)} does not answer ({silence}); records are kept in "
            f"mlruns/journal and sent when it does, or by `lab sync`{see('records-pending')}",
            file=sys.stderr,
        )


def failure(uri: str, reason: str) -> LabError:
    """The error of a store that failed to answer a question: that a server refuses us says more than `reason`."""
    try:
        if uri.startswith("http"):
            check(uri)
    except LabError as refused:
        return refused
    return LabError(f"the store {without_password(uri)} does not answer: {reason}{see('no-answer')}")


def check(uri: str) -> str:
    """Why a server does not answer, "" where it does; raises LabError where it refuses us or is too old."""
    import requests

    user, password = user_at(uri), os.environ.get("MLFLOW_TRACKING_PASSWORD") or unquote(urlsplit(uri).password or "")
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    try:
        answer = requests.get(
            f"{uri.rstrip('/')}/version",
            auth=(user, password) if user else None,
            headers={"Authorization": f"Bearer {token}"} if token and not user else {},
            verify=os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() not in ("1", "true"),
            timeout=SECONDS,
        )
    except requests.RequestException as error:
        return type(error).__name__
    if answer.status_code >= 500:
        return f"status {answer.status_code}"
    _refuse(uri, answer.status_code, answer.text, user)
    return ""


def user_at(uri: str) -> str:
    """The name by which we are known at a server: that of MLflow's variable, or in the address; "" without one."""
    return os.environ.get("MLFLOW_TRACKING_USERNAME") or unquote(urlsplit(uri).username or "")


def _refuse(uri: str, status: int, text: str, user: str) -> None:
    """Raise LabError where the answer to the question for the version is not that of a server that takes us."""
    address = without_password(uri)
    if status == UNAUTHORIZED:
        who = f"the password of '{user}'" if user else "anybody without a password"
        raise LabError(
            f"MLFLOW_TRACKING_URI: the server {address} does not take {who}; set MLFLOW_TRACKING_USERNAME and "
            f"MLFLOW_TRACKING_PASSWORD to those that its admin gave you{see('server-refuses')}"
        )
    if status == FORBIDDEN:
        reason = " ".join(text.split())[:80]
        raise LabError(
            f"MLFLOW_TRACKING_URI: the server {address} refuses this name of it, or this user ({reason}); "
            f"start `lab server` there with --name and the name that you use{see('server-refuses')}"
        )
    version = _version(text) if status != NOT_FOUND else None
    if version is not None and version < OLDEST:
        raise LabError(
            f"MLFLOW_TRACKING_URI: the server {address} runs MLflow {text.strip()}; the lab needs 3.0 or newer there"
            f"{see('server-refuses')}"
        )


def _version(text: str) -> tuple[int, ...] | None:
    """The version as numbers, or None where the answer is no version: of another kind of server, which may do."""
    numbers = text.strip().split(".")[:2]
    return tuple(map(int, numbers)) if len(numbers) == 2 and all(each.isdigit() for each in numbers) else None
