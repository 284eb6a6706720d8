"""Which router a command asks: as a gateway would make it, for as long as it takes."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import ValidationError

from plano_builtin_filters.classify.commands.base import Kit, WrongInput
from plano_builtin_filters.classify.config import DEADLINES, ClassifyConfig, RouterName
from plano_builtin_filters.classify.routers import manifest
from plano_builtin_filters.classify.routers.protocol import (
    Question,
    RouteOption,
    Router,
    RouterFailed,
    Scores,
    Turn,
)
from plano_builtin_filters.classify.wiring import Wiring
from plano_filters import Document, FactoryContext, load
from plano_filters.transport import UpstreamTransport

PATIENCE: Final = 600.0
"""Seconds. What is measured is the model; whether traffic would have waited is counted apart."""
FILTER: Final = "classify"
ROUTERS: Final = tuple(DEADLINES)


@dataclass(frozen=True, slots=True)
class Choice:
    """A router that can be started."""

    wiring: Wiring
    config: ClassifyConfig
    model: str
    """As people know it."""
    trained_on: tuple[str, ...] | None
    """The sources of its training data; None if nobody said."""
    deadline: float
    """Seconds that traffic would wait."""
    transport: _Transport

    @property
    def name(self) -> RouterName:
        """Which of the three it is."""
        return self.wiring.name

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Router]:
        """Start the router, and stop it."""
        router = self.wiring.make()
        try:
            async with router.lifespan():
                yield router
        finally:
            await self.transport.aclose()


class _Transport:
    """The gateway's HTTP transport, made when a router asks for it."""

    def __init__(self, ca_file: str | None) -> None:
        self._ca_file = ca_file
        self._made: UpstreamTransport | None = None

    def __call__(self) -> httpx.AsyncBaseTransport:
        if self._made is None:
            self._made = UpstreamTransport(self._ca_file)
        return self._made

    async def aclose(self) -> None:
        if self._made is not None:
            await self._made.aclose()


def document_of(file: Path | None) -> Document:
    """Load a configuration; an empty one without a file.

    Raises:
        ConfigError: It has mistakes.
    """
    if file is None:
        return Document()
    loaded = load(file)
    loaded.report.raise_errors()
    return loaded.document


def choose(
    kit: Kit,
    document: Document,
    *,
    router: str | None = None,
    model: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Choice:
    """Choose a router as the filter would, with what the command line says in its place.

    Args:
        kit: Parts.
        document: For the filter's options, and for the models of `remote`.
        router: One of the three; default: that of the document, else that of the model.
        model: A directory.
        options: Other options of the filter; those that are None do not count.

    Raises:
        WrongInput: What is asked for contradicts itself.
    """
    if router is not None and router not in ROUTERS:
        raise WrongInput(f"--router must be one of {', '.join(ROUTERS)}")
    entry = next((one for one in document.filters if one.use == FILTER), None)
    given = dict(entry.config) if entry is not None else {}
    if router is None and model is not None:
        router = _router_of(Path(model))
    if router is not None and router != given.get("router", router):
        given = {key: given[key] for key in ("min_confidence",) if key in given}
    given |= {key: value for key, value in (options or {}).items() if value is not None}
    given |= {key: value for key, value in (("router", router), ("model", model)) if value}
    transport = _Transport(document.overrides.upstream_tls_ca_path)
    context = FactoryContext(FILTER, document=document, transport=transport)
    try:
        config = ClassifyConfig.model_validate(given)
        patient = config.model_copy(update={"deadline": PATIENCE})
        wiring = kit.wire(patient, context)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WrongInput(f"{FILTER}.{where}: {first['msg']}") from None
    except ValueError as error:
        raise WrongInput(str(error)) from None
    name, trained_on = _described(kit, document, config, wiring.name)
    deadline = config.deadline or DEADLINES[wiring.name]
    return Choice(wiring, config, name, trained_on, deadline, transport)


async def ask(router: Router, question: Question) -> tuple[Scores, float]:
    """Ask one question; return the answer and the seconds it took.

    Raises:
        RouterFailed: There is no answer.
    """
    began = time.perf_counter()
    scores = await router.route(question)
    return scores, time.perf_counter() - began


async def warm(router: Router, routes: tuple[RouteOption, ...]) -> None:
    """Let a router read a routing table, by a question that is not counted.

    Raises:
        RouterFailed: There is no answer.
    """
    await router.route(Question((Turn("user", "hello"),), routes))


def _router_of(directory: Path) -> str | None:
    try:
        kind = manifest.read(directory).kind
    except RouterFailed:
        return None
    return "embedded" if kind == "encoder" else "onnx"


def _described(
    kit: Kit, document: Document, config: ClassifyConfig, name: RouterName
) -> tuple[str, tuple[str, ...] | None]:
    """Return a model's name and the sources of its training data, as far as they are known."""
    if name == "remote":
        return config.model or document.overrides.llm_routing_model or name, None
    directory = Path(config.model) if config.model else kit.bundled
    try:
        found = manifest.read(directory)
    except RouterFailed:
        return directory.name, None
    sources = found.settings.get("trained_on")
    return found.name, tuple(map(str, sources)) if isinstance(sources, list) else None
