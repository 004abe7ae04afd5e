"""A short form of the kills of the fault suite."""

from pathlib import Path

import kills
import pytest


@pytest.mark.timeout(600)
def test_a_killed_run_is_resumed_as_if_nothing_had_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    row = kills.run(tmp_path, 1, lanes=[("gru",)])
    assert row.held == row.tried == 1, row.detail
