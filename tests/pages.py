"""Pages of the dashboard, through Streamlit's own test harness."""

import functools
from collections.abc import Callable
from pathlib import Path

from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

import dashboard

APP = Path(dashboard.__path__[0]) / "app.py"
Open = Callable[..., AppTest]

# At each run of a page the harness reads the metadata of all installed packages anew: half of the time of these tests.
manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)


def opened_page(page: str = "home", **query: str) -> AppTest:
    """A page with a query, opened without an exception."""
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.switch_page(f"app_pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


def texts(app: AppTest) -> str:
    """All text on a page."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "info", "warning", "error", "success")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))
