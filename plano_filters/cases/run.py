"""Running the cases of a document: the real chain, played providers, no waiting."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final

from plano_filters.cases.compare import differences
from plano_filters.cases.coverage import Coverage
from plano_filters.cases.providers import ScriptedProviders, is_mock
from plano_filters.cases.results import Result
from plano_filters.clock import SystemClock
from plano_filters.config import Document, Loaded
from plano_filters.config.cases import Case, Send
from plano_filters.config.placing import LINK as REMOTE
from plano_filters.dialect import operation_for
from plano_filters.facts import Candidates, Route, Served
from plano_filters.testing import Answered, RunningChain, chain

_in_case: ContextVar[bool] = ContextVar("in_case", default=False)
MAX_TOKENS: Final = 256
"""Of a text in the dialect that needs a limit."""


class CaseClock(SystemClock):
    """The real time, but for waits within a case, which pass at once.

    What runs beside the cases, such as the refreshing of prices, waits as ever.
    """

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        return super().now() + self._ahead

    async def sleep(self, seconds: float) -> None:
        if _in_case.get():
            self._ahead += seconds
        else:
            await super().sleep(seconds)


async def run_cases(loaded: Loaded, wanted: str = "") -> tuple[list[Result], Coverage]:
    """Run the cases of a document in order, on one chain.

    Args:
        loaded: The document.
        wanted: Only cases whose names contain this.

    Raises:
        ConfigError: The document, its chain or a case has errors.
    """
    _check(loaded)
    offline = replace(loaded, document=_offline(loaded.document))
    providers = ScriptedProviders(offline.document)
    coverage, results = Coverage.of(loaded.document), []
    running = chain(offline, clock=CaseClock(), transport=lambda: providers)
    async with running as gateway:
        for index, case in enumerate(loaded.document.tests):
            if wanted in case.name:
                providers.play(case.providers)
                result = await _run(gateway, case, coverage)
                results.append(replace(result, place=_place(loaded, index)))
    return results, coverage


async def _run(gateway: RunningChain, case: Case, coverage: Coverage) -> Result:
    began = time.perf_counter()
    token = _in_case.set(True)
    try:
        answered = await gateway.request(
            body_of(case.send), path=case.send.path, headers=case.send.headers
        )
    finally:
        _in_case.reset(token)
    route, served = answered.fact(Route), answered.fact(Served)
    coverage.touch(
        route=route.name if route else None,
        requested=_requested(answered),
        served=served.model if served else None,
        instead_of=answered.headers.get("x-plano-fallback-from"),
    )
    return Result(
        case.name,
        tuple(differences(case.expect, answered)),
        tuple(f"{one.filter}: {one.text}" for one in answered.decisions),
        time.perf_counter() - began,
    )


def body_of(send: Send) -> Mapping[str, Any]:
    """Return the body that a case sends, in the dialect of its path."""
    if send.body is not None:
        return send.body
    dialect = operation_for(send.path, {}).dialect
    field = "input" if dialect in ("responses", "embeddings") else "messages"
    said: Any = send.text
    if field == "messages":
        said = [{"role": "user", "content": send.text}]
    body: dict[str, Any] = {"model": send.model} if send.model else {}
    body[field] = said
    if dialect == "messages":
        body["max_tokens"] = MAX_TOKENS
    return body | ({"stream": True} if send.stream else {})


def _check(loaded: Loaded) -> None:
    """Report what cases say of models that nobody declared, or whose script is elsewhere.

    Raises:
        ConfigError: There is something to report.
    """
    document = loaded.document
    names = {entry.model for entry in document.model_providers}
    covered = {entry.provider for entry in document.model_providers if entry.wildcard}
    for index, case in enumerate(document.tests):
        for model in case.providers:
            where = ("tests", index, "providers", model)
            if is_mock(model):
                loaded.report.error(
                    where,
                    f'"{model}" is played by the mock provider itself',
                    hint="send x-mock-status or another of its headers instead",
                    on_key=True,
                )
            elif model not in names and model.partition("/")[0] not in covered:
                loaded.report.error(where, f'the model "{model}" is not declared', on_key=True)
    loaded.report.raise_errors()


def _offline(document: Document) -> Document:
    """Return a document that keeps its sessions in memory, and asks no remote filter."""
    memory = document.routing.session_cache.model_copy(update={"type": "memory", "url": None})
    routing = document.routing.model_copy(update={"session_cache": memory})
    filters = tuple(
        entry.model_copy(update={"enabled": entry.enabled and entry.use != REMOTE})
        for entry in document.filters
    )
    return document.model_copy(update={"routing": routing, "filters": filters})


def _requested(answered: Answered) -> str:
    candidates = answered.fact(Candidates)
    return candidates.requested if candidates is not None else ""


def _place(loaded: Loaded, index: int) -> str:
    locator = loaded.report.locator
    found = locator.locate(("tests", index), on_key=False) if locator else None
    return f"{found.file}:{found.line}" if found else ""
