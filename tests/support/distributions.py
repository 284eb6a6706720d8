"""Distributions in folders of their own, as an installer would put them into an environment."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path


def install(source: Path, target: Path) -> Path:
    """Build a distribution and unpack it, as an installer does, into a folder of its own."""
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(target)],
        cwd=source, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    wheel = target / done.stdout.split()[-1]
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    wheel.unlink()
    return target


def installed_env(*targets: Path) -> dict[str, str]:
    """Return variables with which a process finds what is installed in these folders."""
    inherited = filter(None, [os.environ.get("PYTHONPATH")])
    return {"PYTHONPATH": os.pathsep.join([*map(str, targets), *inherited])}
