"""`lab docs`: the documentation as a site on this machine, or where its pages are."""

import importlib.util
import os
import sys

from lab.cli import servers
from lab.documentation.site import DOCS, PROJECT
from lab.errors import LabError, install

REQUIRED = ("mkdocs", "material")  # material: the theme mkdocs-material


def serve(port: int) -> None:
    """Replace this process by mkdocs, which builds the site and serves it; raises LabError if it cannot start.

    Without mkdocs the folder of the pages is printed: they are Markdown, and read well as they are.
    """
    if not (PROJECT / "mkdocs.yml").exists():
        raise LabError("docs: its pages are not installed with the package; they are in docs/ of a clone of the lab")
    if any(importlib.util.find_spec(name) is None for name in REQUIRED):
        print(f"the pages are in {DOCS}; {PROJECT / 'README.md'} links to all of them")
        print(f"as a site, with a search, by `lab docs`: {install('docs')}")
        return
    servers.check_address(servers.HOST, port, "--port ")
    print(f"the documentation on http://{servers.HOST}:{port} in a few seconds (Ctrl-C ends it)", flush=True)
    os.environ["NO_MKDOCS_2_WARNING"] = "1"
    os.execv(sys.executable, command(port))


def command(port: int) -> list[str]:
    """The command that builds the site into a temporary folder and serves it."""
    options = ["--quiet", "--no-livereload", "--config-file", str(PROJECT / "mkdocs.yml")]
    return [sys.executable, "-m", "mkdocs", "serve", *options, "--dev-addr", f"{servers.HOST}:{port}"]
