"""A team's server, one for the tests of a file."""

from collections.abc import Iterator

import postgresql
import pytest
import team
from team import Team


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """`lab server` with passwords, on PostgreSQL."""
    with postgresql.server() as address, team.running(tmp_path_factory.mktemp("team"), address) as running:
        yield running
