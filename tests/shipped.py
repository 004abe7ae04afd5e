"""What the lab ships, for tests that go through all of it."""

from pathlib import Path

PROJECT = Path(__file__).parent.parent
SHIPPED = sorted(path.stem for path in (PROJECT / "experiments").glob("*.yaml"))
