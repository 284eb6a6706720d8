"""Running the command line to its end, as a user would."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.gateway import COMMAND, environment


def plano_filters(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command with a small environment; output is text, the exit status is not checked."""
    return subprocess.run(
        [COMMAND, *arguments],
        env=environment(env),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
