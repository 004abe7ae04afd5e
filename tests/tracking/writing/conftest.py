"""An outbox with a started run, whose sender works or was killed."""

from pathlib import Path

import pytest
from sending import abandon, start

from lab.tracking.writing.outbox import Outbox
from lab.tracking.writing.tracker import Tracker


@pytest.fixture
def outbox(workplace: Path) -> Outbox:
    return Outbox()


@pytest.fixture
def tracker(outbox: Outbox) -> Tracker:
    return start(outbox.tracker())


@pytest.fixture
def unsent(tracker: Tracker, outbox: Outbox) -> Tracker:
    """A tracker whose sender was killed at once."""
    abandon(outbox)
    return tracker
