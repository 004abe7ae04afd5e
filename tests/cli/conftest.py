"""A team's server, started once for all tests of this folder: that takes long."""

from collections.abc import Iterator

import postgresql
import pytest
import team
from team import Team


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """`lab server` with passwords, on PostgreSQL."""
    with postgresql.server() as address, team.running(tmp_path_factory.mktemp("team"), address) as running:
        yield running
