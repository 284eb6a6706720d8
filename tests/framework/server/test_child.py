"""How soon a worker that ended is started anew."""

from __future__ import annotations

import pytest

from plano_filters.server.child import restart_delay


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 0.1), (2, 0.2), (4, 0.8), (9, 25.6), (10, 30.0), (10_000, 30.0)]
)
def test_the_delay_doubles_up_to_a_limit(failures: int, seconds: float) -> None:
    """The first restart is almost at once; a worker that always fails costs little."""
    assert restart_delay(failures) == pytest.approx(seconds)
