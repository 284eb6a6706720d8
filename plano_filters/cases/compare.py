"""What a case expects against what came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from plano_filters.config.cases import Expected
from plano_filters.facts import Attempts, Route, Served
from plano_filters.testing import Answered

LONGEST: Final = 200
"""Characters of a value to show."""


def differences(expected: Expected, answered: Answered) -> Iterator[str]:
    """Yield a sentence for everything that is not as expected; unset fields are not looked at."""
    wanted = expected.model_fields_set
    for name, found in _found(answered).items():
        value = getattr(expected, name)
        if name in wanted and found != value:
            yield f"{name}: expected {_shown(value)}, got {_shown(found)}"
    for header, value in expected.headers.items():
        got = answered.headers.get(header)
        if got != value:
            yield f"header {header}: expected {_shown(value)}, got {_shown(got)}"
    texts = [decision.text for decision in answered.decisions]
    for part in expected.decided:
        if not any(part in text for text in texts):
            yield f"decided: no decision contains {_shown(part)}"
    if answered.status is not None and answered.status < 400 and not answered.finished:
        yield "the answer broke off"


def _found(answered: Answered) -> Mapping[str, Any]:
    route, served = answered.fact(Route), answered.fact(Served)
    attempts = answered.fact(Attempts)
    return {
        "status": answered.status,
        "route": route.name if route else None,
        "model": served.model if served else None,
        "attempts": len(attempts) if attempts is not None else 0,
        "error": _code(answered),
    }


def _code(answered: Answered) -> str | None:
    """Return the code of an error answer, in whichever dialect it is."""
    if answered.status is None or answered.status < 400:
        return None
    try:
        document = answered.json()
    except ValueError:
        return None
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return None
    details = error.get("details")
    code = error.get("code") or (details.get("error_code") if isinstance(details, dict) else None)
    return code if isinstance(code, str) else None


def _shown(value: object) -> str:
    text = "none" if value is None else f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
