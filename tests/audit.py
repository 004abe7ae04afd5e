"""`make audit`: known vulnerabilities of the pinned dependencies, by pip-audit.

Exit codes: 0 none known, 1 some, 3 nothing could be checked. Says how many packages the database did not know.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMAND = [
    "--requirement",
    "constraints.txt",
    "--no-deps",
    "--disable-pip",
    "--format",
    "json",
    "--progress-spinner=off",
]


def main(program: str) -> int:
    done = subprocess.run([program, *COMMAND], cwd=ROOT, capture_output=True, text=True, timeout=600)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"audit: the database of vulnerabilities cannot be reached, so nothing was checked: {reason[:200]}")
        return 3
    checked = [package for package in packages if "skip_reason" not in package]
    if not checked:
        print(f"audit: the database reached from here knows none of the {len(packages)} packages: nothing was checked")
        return 3
    found = [(package, weakness) for package in checked for weakness in package["vulns"]]
    for package, weakness in found:
        mended = ", ".join(weakness["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {weakness['id']}, mended in {mended}")
    print(
        f"audit: {len(checked)} packages checked, {len(packages) - len(checked)} unknown, {len(found)} vulnerabilities"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
