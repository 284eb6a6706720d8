"""What every filter owes its users, as checks: `check` reports, `tests` makes tests of them.

    test_conformance = conformance.tests(MyFilter, {"marks": 3})

Each check makes fresh instances and fresh exchanges, and needs neither network nor pytest.
"""
# ruff: noqa: PT028 - `tests` makes tests and is none

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from plano_filters.config.document import Document
from plano_filters.exchange import Exchange
from plano_filters.filter import Filter
from plano_filters.testing.conformance.bodies import (
    keeps_exchanges_apart,
    streams_without_buffering,
    takes_torn_chunks,
)
from plano_filters.testing.conformance.declared import (
    declares_what_it_leaves,
    describes_its_options,
    keeps_secrets,
    provides_what_it_promises,
    refuses_unknown_options,
    requires_what_it_reads,
    says_what_it_does,
)
from plano_filters.testing.conformance.lifetime import (
    completes_once,
    constructs_without_side_effects,
    does_not_block,
    starts_and_stops,
    survives_cancellation,
)
from plano_filters.testing.conformance.subject import (
    Failed,
    Subject,
    example_exchanges,
    without_example,
)

Check = Callable[[Subject], Coroutine[Any, Any, None]]

_SECONDS: Final = 60.0
"""For one check; only a filter that blocks or hangs needs them."""
_CHECKS: Final[tuple[Check, ...]] = (
    says_what_it_does,
    describes_its_options,
    refuses_unknown_options,
    constructs_without_side_effects,
    starts_and_stops,
    requires_what_it_reads,
    provides_what_it_promises,
    declares_what_it_leaves,
    completes_once,
    survives_cancellation,
    keeps_exchanges_apart,
    streams_without_buffering,
    takes_torn_chunks,
    does_not_block,
    keeps_secrets,
)
CHECKS: Final[Mapping[str, Check]] = {check.__name__: check for check in _CHECKS}
"""Every check by its name; the docstring of each says what must be true."""


@dataclass(frozen=True, slots=True)
class Conformance:
    """How a filter did."""

    filter: str
    passed: tuple[str, ...]
    """Names of the checks that found nothing."""
    failures: Mapping[str, str]
    """What the others found, by name."""

    def __str__(self) -> str:
        good = f"{self.filter}: {len(self.passed)} checks passed"
        bad = [f"  {name}: {text}" for name, text in self.failures.items()]
        return "\n".join([f"{good}, {len(bad)} failed" if bad else good, *bad])

    def raise_failures(self) -> None:
        """Do nothing if every check passed.

        Raises:
            AssertionError: With all that was found.
        """
        if self.failures:
            raise AssertionError(str(self))


def check(
    kind: type[Filter[Any]],
    config: Mapping[str, Any] | None = None,
    *,
    exchanges: Callable[[], Sequence[Exchange]] = example_exchanges,
    facts: Sequence[object] = (),
    document: Document | None = None,
    skip: Collection[str] = (),
) -> Conformance:
    """Run every check on a filter.

    Args:
        kind: The filter's class.
        config: What users would write in YAML.
        exchanges: Makes fresh requests that the filter lets through, of different people about
            different things. Chat requests, plain and streamed, unless given.
        facts: What earlier filters leave, for facts that it requires and that are not the
            framework's.
        document: The configuration around it.
        skip: Names of checks that do not hold for this filter, on purpose.

    Raises:
        ValueError: The config is not valid, a check has no such name, or a fact is missing.
    """
    subject = _subject(kind, config, exchanges, facts, document)
    names = _names(skip)
    found = {name: _run(CHECKS[name], subject) for name in names}
    return Conformance(
        kind.__name__,
        tuple(name for name, text in found.items() if text is None),
        {name: text for name, text in found.items() if text is not None},
    )


def tests(
    kind: type[Filter[Any]],
    config: Mapping[str, Any] | None = None,
    *,
    exchanges: Callable[[], Sequence[Exchange]] = example_exchanges,
    facts: Sequence[object] = (),
    document: Document | None = None,
    skip: Collection[str] = (),
) -> Callable[[str], None]:
    """Return a pytest test, parametrized so that each check is a test of its own.

    Assign it to a name that begins with `test_`. The arguments are those of `check`.
    """
    import pytest  # noqa: PLC0415 - only tests need it

    subject = _subject(kind, config, exchanges, facts, document)

    @pytest.mark.parametrize("name", _names(skip))
    def test_conformance(name: str) -> None:
        """The filter keeps what the check of this name asks for."""
        found = _run(CHECKS[name], subject)
        if found is not None:
            pytest.fail(f"{kind.__name__} {found}", pytrace=False)

    return test_conformance


tests.__test__ = False  # type: ignore[attr-defined]  # should somebody import it by itself


def _subject(
    kind: type[Filter[Any]],
    config: Mapping[str, Any] | None,
    exchanges: Callable[[], Sequence[Exchange]],
    facts: Sequence[object],
    document: Document | None,
) -> Subject:
    missing = without_example(kind, facts)
    if missing:
        raise ValueError(
            f"{kind.__name__} requires {', '.join(missing)}; give an example in facts="
        )
    subject = Subject(kind, config or {}, document or Document(), exchanges, facts)
    subject.settings()
    return subject


def _names(skip: Collection[str]) -> list[str]:
    unknown = sorted(set(skip) - CHECKS.keys())
    if unknown:
        raise ValueError(f"no check is called {', '.join(unknown)}; there are {', '.join(CHECKS)}")
    return [name for name in CHECKS if name not in skip]


def _run(made: Check, subject: Subject) -> str | None:
    """Run a check in a thread and a loop of its own; return what it found, or None."""
    found: list[str | None] = []

    def run() -> None:
        try:
            asyncio.run(made(subject))
        except Failed as failed:
            found.append(str(failed))
        except Exception as error:  # noqa: BLE001 - whatever a filter raises is a finding
            found.append(f"raised {type(error).__name__}: {error}")
        else:
            found.append(None)

    # A thread, so that it works inside a running loop, and so that nothing can hang for ever.
    thread = threading.Thread(target=run, name=made.__name__, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return found[0] if found else f"does not end: nothing came for {_SECONDS:g} s"


__all__ = ["CHECKS", "Conformance", "check", "tests"]
