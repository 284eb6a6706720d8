"""What a request may ask the mock to do wrong."""

from __future__ import annotations

import pytest

from plano_filters.mock.script import DEFAULT_DELAY, Script


@pytest.mark.parametrize(
    ("headers", "attempt", "script"),
    [
        ({}, 1, Script()),
        ({"x-mock-status": "429"}, 3, Script(status=429)),
        ({"x-mock-status": "429, 200"}, 1, Script(status=429)),
        ({"x-mock-status": "429, 200"}, 2, Script(status=200)),
        ({"x-mock-status": "429,500"}, 9, Script(status=500)),  # the last one repeats
        ({"x-mock-status": "teapot"}, 1, Script()),
        ({"x-mock-status": "99"}, 1, Script()),
        ({"x-mock-status": "503", "x-mock-model": "fast"}, 1, Script(status=503)),
        ({"x-mock-status": "503", "x-mock-model": "smart"}, 1, Script()),
        (
            {"x-mock-retry-after": "2", "x-mock-status": "429"},
            1,
            Script(status=429, retry_after="2"),
        ),
        ({"x-mock-delay-ms": "0"}, 1, Script(delay=0.0)),
        ({"x-mock-delay-ms": "soon"}, 1, Script(delay=DEFAULT_DELAY)),
        ({"x-mock-delay-ms": "-5"}, 1, Script(delay=0.0)),
        ({"x-mock-first-byte-ms": "250"}, 1, Script(first_byte=0.25)),
        ({"x-mock-cut-after": "2"}, 1, Script(cut_after=2)),
        ({"x-mock-cut-after": "two"}, 1, Script()),
        ({"x-mock-connect-error": "1"}, 1, Script(connect_error=True)),
        # the pause is for every model, the failures are for one
        ({"x-mock-delay-ms": "7", "x-mock-cut-after": "1", "x-mock-model": "smart"}, 1,
         Script(delay=0.007)),
    ],
)  # fmt: skip
def test_read(headers: dict[str, str], attempt: int, script: Script) -> None:
    """Each header does what it says; what cannot be read changes nothing."""
    assert Script.read(headers, "fast", attempt) == script
