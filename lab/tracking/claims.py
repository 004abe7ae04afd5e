"""A claim in a store that several folders share: one driver at a time for a comparison or a cross-validation.

A claim is a tag of the MLflow experiment, since that is what every store offers. It counts while the driver's own run
is running and its sender reports; before there is that run, while the claim is young. Clocks of machines differ: a
driver that looks silent is dead only if it does not report while we wait. Nobody who reads a claim of another driver
drives, and each claims before it reads: of two that claim at once at least one sees the other's. Where neither drives
yet, the one whose tag is later goes.
"""

import json
import math
import platform
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING

from lab.errors import LabError, TrainingFailed, abbreviated, described, printable, redacted, see, without_password
from lab.tracking import experiments, server, store
from lab.tracking.writing.sender import HEARTBEAT_SECONDS

if TYPE_CHECKING:
    from mlflow import MlflowClient

TAG = "lab.driver"  # and the name of what is driven, and a part of its own for each driver
SILENT_SECONDS = 300  # without a report, by our clock: then the driver looks silent
WAIT_SECONDS = 2 * HEARTBEAT_SECONDS  # for the next report of a driver that looks silent
CONTEST_SECONDS = 20.0  # for which the earlier name waits until the other has gone
POLL_SECONDS = 0.2
SECONDS_TO_NEXT_LOOK = 60.0  # of a driver whose store is away
LONGEST_REASON = 200  # characters


@dataclass(frozen=True)
class Claim:
    """Who drives, or wants to, and by which run: `journal` is its tracker's id.

    `store` is the id of the folder `mlruns/`; `time` is when it was claimed and `ended` when that run ended in an
    earlier session, if it did, in milliseconds since 1970.
    """

    who: str
    journal: str
    host: str
    folder: str
    store: str
    time: int
    ended: int | None = None
    drives: bool = False  # no other claim was there


@contextmanager
def claimed(experiment: str, name: str, who: str, journal: str) -> Iterator[Callable[[], None]]:
    """Hold the claim to drive `name` in the store; raises LabError where another driver holds it.

    Gives a function that looks at the claims again, and raises TrainingFailed where another driver drives now. The
    caller holds the lock of this folder. A local store needs no claim. A store that is away takes none, which a line
    says: it costs no run.
    """
    if store.is_local():
        yield lambda: None
        return
    holder = _Holder(store.tracking_uri(), experiment, name, who, journal)
    if silence := holder.enter():
        print(
            f"lab: {name} is not claimed, since the store {without_password(holder.uri)} does not answer ({silence}); "
            "see to it that nobody runs it in another folder meanwhile",
            file=sys.stderr,
        )
    try:
        yield holder.look_again
    finally:
        holder.leave()


class _Holder:
    """Who holds a claim, in a store that may be away."""

    def __init__(self, uri: str, experiment: str, name: str, who: str, journal: str):
        self.uri = uri
        self._experiment, self._name = experiment, name
        self._who, self._journal = who, journal
        self._contest: _Contest | None = None
        self._next_look = -math.inf

    def enter(self) -> str:
        """Put in the claim, or see whether it is there; why it could not be, or ""."""
        from mlflow.exceptions import MlflowException

        silence = server.check(self.uri) if self.uri.startswith("http") else ""
        try:
            if self._contest is not None and not silence:
                self._contest.stay()
            elif not silence:
                contest = _Contest(store.client(), self._experiment, self._name)
                contest.enter(self._who, self._journal)
                self._contest = contest
        except MlflowException as error:
            silence = abbreviated(printable(redacted(described(error))), LONGEST_REASON)
        return silence

    def look_again(self) -> None:
        """Raise TrainingFailed where another driver drives; one that has lost sight of the store asks now and then."""
        if time.monotonic() < self._next_look:
            return
        try:
            silence = self.enter()
        except LabError as error:
            raise TrainingFailed(f"the store was out of reach, and {error}") from None
        if silence:
            self._next_look = time.monotonic() + SECONDS_TO_NEXT_LOOK

    def leave(self) -> None:
        """Withdraw the claim."""
        if self._contest is not None:
            self._contest.leave()


@dataclass(frozen=True)
class _Signs:
    """What the store has of a driver's run: when it ended, and when its sender last reported; ms since 1970."""

    ended: int | None
    heartbeat: int


class _Contest:
    """The claims to one name, among them that of this process."""

    def __init__(self, client: "MlflowClient", experiment: str, name: str):
        self._client = client
        self._name = name
        self._experiment = experiments.id_of(client, experiment)
        self._prefix = f"{TAG}.{name}."
        self._tag = f"{self._prefix}{uuid.uuid4().hex}"
        self._driving: Claim | None = None  # the claim, once it has won

    def enter(self, who: str, journal: str) -> None:
        """Put in a claim, and return once it is the only one; raises LabError where another driver drives."""
        now, ended = round(time.time() * 1000), self._signs(journal).ended
        claim = Claim(who, journal, platform.node(), str(store.root()), store.folder_id(), now, ended)
        self._put(claim)
        try:
            self._remove_dead(claim)
            self._win()
            self._driving = replace(claim, drives=True)
            self._put(self._driving)
        except BaseException:
            self.leave()
            raise

    def stay(self) -> None:
        """See that the claim is there; raises LabError where another driver drives that it gives way to.

        Another one removed the claim where it took this driver for dead. Of two that drive, the later name goes.
        """
        held = self._tag in self._client.get_experiment(self._experiment).tags
        try:
            others = self._others()
        except LabError:
            if held:  # whoever cannot be read sees this claim
                return
            raise
        for tag, claim in others.items():
            if (
                claim.drives
                and (not held or tag < self._tag)
                and self._signs(claim.journal).ended
                in (
                    None,
                    claim.ended,
                )
            ):
                raise self._busy(claim)
        if not held and self._driving:
            self._put(self._driving)

    def _busy(self, claim: Claim) -> LabError:
        busy = f"{self._name} is being run by {claim.who}; wait for it, or stop it first"
        return LabError(f"{busy}{see('already-running')}")

    def _put(self, claim: Claim) -> None:
        self._client.set_experiment_tag(self._experiment, self._tag, json.dumps(asdict(claim)))

    def _win(self) -> None:
        deadline = time.monotonic() + CONTEST_SECONDS
        while others := self._others():
            ahead = [claim for tag, claim in others.items() if claim.drives or tag < self._tag]
            if ahead or time.monotonic() >= deadline:
                raise self._busy(next(iter(ahead or others.values())))
            time.sleep(POLL_SECONDS)

    def _others(self) -> dict[str, Claim]:
        """The claims of other drivers, by tag; raises LabError for one that cannot be read."""
        tags = self._client.get_experiment(self._experiment).tags
        return {
            tag: self._read(tag, text)
            for tag, text in tags.items()
            if tag.startswith(self._prefix) and tag != self._tag
        }

    def _read(self, tag: str, text: str) -> Claim:
        """What cannot be read counts: it may be the claim of a driver of another version of the lab."""
        try:
            content = json.loads(text)
            return Claim(**{each.name: content[each.name] for each in fields(Claim)})
        except (ValueError, KeyError, TypeError):
            delete = f"mlflow.MlflowClient().delete_experiment_tag('{self._experiment}', '{tag}')"
            raise LabError(
                f"{self._name} is claimed by a tag of the store that this version of the lab cannot read; where nobody "
                f'runs it, delete that tag: .venv/bin/python -c "import mlflow; {delete}"'
            ) from None

    def _remove_dead(self, own: Claim) -> None:
        """Remove the claims of drivers that live no more; waits for the next report of those that look silent."""
        silent: dict[str, tuple[Claim, _Signs]] = {}
        for tag, claim in self._others().items():
            signs = self._signs(claim.journal)
            if _same_place(claim, own) or signs.ended not in (None, claim.ended):
                self._remove(tag)
            elif _looks_silent(max(claim.time, signs.heartbeat)):
                silent[tag] = (claim, signs)
        if silent:
            who = ", ".join(claim.who for claim, _ in silent.values())
            print(printable(f"lab: waits {WAIT_SECONDS:g} s for a report of {who}, who looks silent"), file=sys.stderr)
            time.sleep(WAIT_SECONDS)
        for tag, (claim, before) in silent.items():
            if self._signs(claim.journal) == before:
                self._remove(tag)

    def _signs(self, journal: str) -> _Signs:
        runs = self._client.search_runs([self._experiment], f"tags.`{store.JOURNAL_TAG}` = '{journal}'")
        reports = [int(run.data.tags.get(store.HEARTBEAT_TAG, 0)) for run in runs if run.info.status == "RUNNING"]
        ends = [run.info.end_time or 0 for run in runs if run.info.status != "RUNNING"]
        return _Signs(max(ends) if ends and not reports else None, max(reports, default=0))

    def leave(self) -> None:
        """Withdraw the claim; where the store is away, the end of the driver's run withdraws it."""
        self._remove(self._tag)

    def _remove(self, tag: str) -> None:
        from mlflow.exceptions import MlflowException

        with suppress(MlflowException):  # another driver was faster, or the store is away
            self._client.delete_experiment_tag(self._experiment, tag)


def _same_place(claim: Claim, own: Claim) -> bool:
    """Whether a claim is of this folder, whose lock this process holds: names alone repeat among containers."""
    return (claim.host, claim.folder, claim.store) == (own.host, own.folder, own.store)


def _looks_silent(since: int) -> bool:
    """By our clock, which the driver's may be ahead of, or behind."""
    return abs(time.time() * 1000 - since) >= SILENT_SECONDS * 1000
