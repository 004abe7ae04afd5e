"""A claim in a store that several folders share: one driver at a time for a comparison or a cross-validation.

A claim is a tag of the MLflow experiment, since that is what every store offers. It counts while the driver's own run
is running and its sender reports; before there is that run, while the claim is young. Nobody who reads a claim of
another driver drives, and each claims before it reads: of two that claim at once at least one sees the other's. Where
neither drives yet, the one whose tag is later goes.
"""

import json
import platform
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from lab.errors import LabError, described, see
from lab.tracking import experiments, server, store

if TYPE_CHECKING:
    from mlflow import MlflowClient

TAG = "lab.driver"  # and the name of what is driven, and a part of its own for each driver
SILENT_SECONDS = 300  # without a report; clocks of machines may differ
CONTEST_SECONDS = 20.0  # for which the earlier name waits until the other has gone
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Claim:
    """Who drives, or wants to, and by which run: `journal` is its tracker's id; `time` in milliseconds since 1970."""

    who: str
    journal: str
    host: str
    folder: str
    time: int
    drives: bool = False  # no other claim was there


@contextmanager
def claimed(experiment: str, name: str, who: str, journal: str) -> Iterator[None]:
    """Hold the claim to drive `name` in the store; raises LabError where another driver holds it.

    The caller holds the lock of this folder. A local store needs no claim, and a server that is away takes none.
    """
    uri = store.tracking_uri()
    if store.is_local() or (uri.startswith("http") and server.check(uri)):
        yield
        return
    claim = Claim(who, journal, platform.node(), str(store.root()), round(time.time() * 1000))
    contest = _entered(uri, experiment, name, claim)
    try:
        yield
    finally:
        contest.leave()


def _entered(uri: str, experiment: str, name: str, claim: Claim) -> "_Contest":
    from mlflow.exceptions import MlflowException

    try:
        contest = _Contest(store.client(), experiment, name)
        contest.enter(claim)
    except MlflowException as error:
        raise server.failure(uri, described(error)) from None
    return contest


class _Contest:
    """The claims to one name, among them that of this process."""

    def __init__(self, client: "MlflowClient", experiment: str, name: str):
        self._client = client
        self._name = name
        self._experiment = experiments.id_of(client, experiment)
        self._prefix = f"{TAG}.{name}."
        self._tag = f"{self._prefix}{uuid.uuid4().hex}"

    def enter(self, claim: Claim) -> None:
        """Put in the claim, and return once it is the only one; raises LabError where another driver drives."""
        self._put(claim)
        try:
            self._win(claim)
            self._put(replace(claim, drives=True))
        except BaseException:
            self.leave()
            raise

    def _put(self, claim: Claim) -> None:
        self._client.set_experiment_tag(self._experiment, self._tag, json.dumps(asdict(claim)))

    def _win(self, claim: Claim) -> None:
        deadline = time.monotonic() + CONTEST_SECONDS
        while others := self._others(claim):
            ahead = [claim for tag, claim in others.items() if claim.drives or tag < self._tag]
            if ahead or time.monotonic() >= deadline:
                who = next(iter(ahead or others.values())).who
                busy = f"{self._name} is being run by {who}; wait for it, or stop it first"
                raise LabError(f"{busy}{see('already-running')}")
            time.sleep(POLL_SECONDS)

    def _others(self, own: Claim) -> dict[str, Claim]:
        """The claims of other drivers that live, by tag; those of dead ones are removed."""
        tags = self._client.get_experiment(self._experiment).tags
        found = {tag: Claim(**json.loads(text)) for tag, text in tags.items() if tag.startswith(self._prefix)}
        del found[self._tag]
        for tag in [tag for tag, claim in found.items() if not self._lives(claim, own)]:
            del found[tag]
            self._remove(tag)
        return found

    def _lives(self, claim: Claim, own: Claim) -> bool:
        if (claim.host, claim.folder) == (own.host, own.folder):
            return False  # this process holds the lock of that folder
        since = claim.time
        for run in self._client.search_runs([self._experiment], f"tags.`{store.JOURNAL_TAG}` = '{claim.journal}'"):
            if run.info.status == "RUNNING":
                since = max(since, int(run.data.tags.get(store.HEARTBEAT_TAG, 0)))
            elif (run.info.end_time or 0) >= claim.time:  # else it is the run of an earlier session, to be continued
                return False
        return time.time() * 1000 - since < SILENT_SECONDS * 1000

    def leave(self) -> None:
        """Withdraw the claim; where the store is away, the end of the driver's run withdraws it."""
        self._remove(self._tag)

    def _remove(self, tag: str) -> None:
        from mlflow.exceptions import MlflowException

        with suppress(MlflowException):  # another driver was faster, or the store is away
            self._client.delete_experiment_tag(self._experiment, tag)
