"""From a document to a chain: find the classes, check the order, construct.

Everything that can be wrong is reported; nothing here touches the network.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.trace import NoOpTracer, Tracer
from pydantic import ValidationError

from plano_filters import local
from plano_filters.chain import Chain, Link, link
from plano_filters.clock import Clock, SystemClock
from plano_filters.config import Document, FilterEntry, Path, Report, load
from plano_filters.config.words import without_input
from plano_filters.errors import ConfigError
from plano_filters.facts import Attempt
from plano_filters.filter import (
    FactoryContext,
    Filter,
    TerminalFilter,
    TransportFactory,
    no_transport,
)
from plano_filters.meter import Meter
from plano_filters.registry import Registry
from plano_filters.shared import Shared


@dataclass(frozen=True, slots=True)
class Services:
    """What filters are given by the process they live in. Tests pass fakes."""

    clock: Clock = field(default_factory=SystemClock)
    random: random.Random = field(default_factory=random.Random)
    transport: TransportFactory = no_transport
    tracer: Tracer = field(default_factory=NoOpTracer)
    meter: Meter = field(default_factory=Meter)
    shared: Shared = field(default_factory=Shared)


def compile_chain(
    document: Document,
    registry: Registry,
    report: Report,
    services: Services | None = None,
    *,
    terminal: bool = True,
) -> Chain:
    """Build the chain of a document.

    Args:
        document: The effective document.
        registry: Where filter names are looked up.
        report: Takes every problem. If it has errors afterwards, do not use the chain.
        services: What the filters are given.
        terminal: Whether the last filter must be terminal. Not so for a chain in front of an app.
    """
    registry.check(report)
    compiler = _Compiler(document, registry, report, services or Services())
    links = compiler.links(("filters",), document.filters, {})
    if terminal:
        compiler.check_terminal(("filters",), links)
    else:
        compiler.check_open(("filters",), links)
    return Chain(links)


def load_chain(path: str, *, services: Services | None = None, terminal: bool = False) -> Chain:
    """Load and compile the chain of a file, to put in front of an app.

    Raises:
        ConfigError: With every problem of the file.
    """
    loaded = load(path)
    registry = Registry.from_entry_points()
    chain = compile_chain(loaded.document, registry, loaded.report, services, terminal=terminal)
    loaded.report.raise_errors()
    return chain


class _Compiler:
    def __init__(
        self, document: Document, registry: Registry, report: Report, services: Services
    ) -> None:
        self._document = document
        self._registry = registry
        self._report = report
        self._services = services
        self._places: dict[tuple[Path, str], Path] = {}
        """Where the links of each list stand, by their ids."""

    def links(
        self, path: Path, entries: Sequence[FilterEntry], provided: dict[type, str]
    ) -> list[Link]:
        """Build the links of a list of entries.

        Args:
            path: Where the list stands in the document.
            entries: The list.
            provided: Facts that are there before the first link, and who provides them. Filled.
        """
        links: list[Link] = []
        ids: dict[str, int] = {}
        later = self._providers_by_fact(entries)
        for index, entry in enumerate(entries):
            here = (*path, index)
            if entry.use == "?":
                continue  # could not be read; reported already
            kind = self._load(here, entry)
            if kind is None:
                continue
            name = entry.id or local.name_of(entry.use)
            if not entry.enabled:
                self._config(here, entry, kind)
                continue
            if name in ids:
                self._report.error(
                    here,
                    f'two filters have the id "{name}"',
                    hint="give one of them an `id` of its own",
                )
            ids[name] = index
            self._places.setdefault((path, name), here)
            after = {f: [n for at, n in who if at > index] for f, who in later.items()}
            self._check_order(here, name, kind, provided, after)
            self._check_skip(here, name, kind, entry)
            inner: list[Link] = []
            made = self._make(here, name, entry, kind, dict(provided), inside=inner)
            for fact in kind.provides:
                provided[fact] = name if entry.on_error == "fail" else f"{name}?"
            if made is not None:
                options: dict[str, Any] = {"on_error": entry.on_error, "timeout": entry.timeout}
                label = local.name_of(entry.use)
                links.append(link(made, id=name, name=label, nested=inner, **options))
        return links

    def check_terminal(self, path: Path, links: Sequence[Link]) -> None:
        """Report a chain that does not end with its one terminal filter."""
        if self._report.errors:
            return  # a filter that could not be built may have been the terminal one
        if not links or not links[-1].terminal:
            last = f'the last filter is "{links[-1].id}"' if links else "there is no filter"
            self._report.error(
                path,
                f"the chain must end with a filter that answers; {last}",
                hint="end the list with `upstream`",
            )
        elif links[-1].on_error == "skip":
            self._report.error(
                self._places[path, links[-1].id],
                f'"{links[-1].id}" has the last word and cannot be skipped',
                hint="set `on_error: fail` on it",
            )
        for entry in links[:-1]:
            if entry.terminal:
                self._report.error(
                    self._places[path, entry.id],
                    f'"{entry.id}" always answers, so the filters after it are never reached',
                    hint=f'move "{entry.id}" to the end',
                )

    def check_open(self, path: Path, links: Sequence[Link]) -> None:
        """Report a chain that would never reach the app behind it."""
        for entry in links:
            if entry.terminal:
                self._report.error(
                    self._places[path, entry.id],
                    f'"{entry.id}" always answers, so the app behind the chain is never reached',
                    hint=f'remove "{entry.id}"',
                )

    def _load(self, path: Path, entry: FilterEntry) -> type[Filter[Any]] | None:
        try:
            return self._registry.load(entry.use, self._report.folder)
        except LookupError as error:
            self._report.error((*path, "use"), str(error))
            return None

    def _providers_by_fact(
        self, entries: Sequence[FilterEntry]
    ) -> dict[type, list[tuple[int, str]]]:
        found: dict[type, list[tuple[int, str]]] = {}
        for index, entry in enumerate(entries):
            try:
                kind = self._registry.load(entry.use, self._report.folder)
            except LookupError:
                continue
            for fact in kind.provides if entry.enabled else ():
                found.setdefault(fact, []).append((index, entry.id or local.name_of(entry.use)))
        return found

    def _check_order(
        self,
        path: Path,
        name: str,
        kind: type[Filter[Any]],
        provided: dict[type, str],
        after: dict[type, list[str]],
    ) -> None:
        for fact in kind.requires:
            author = provided.get(fact)
            if author is not None and not author.endswith("?"):
                continue
            message = f'"{name}" needs {fact.__name__}, which no earlier filter provides'
            hint = self._installed_provider(fact)
            later = after.get(fact, [])
            if author is not None:
                message = (
                    f'"{name}" needs {fact.__name__}, but "{author[:-1]}" may be skipped '
                    "and then does not provide it"
                )
                hint = f'set `on_error: fail` on "{author[:-1]}"'
            elif later:
                message = f'"{name}" needs {fact.__name__}, which "{later[0]}" provides after it'
                hint = f'move "{later[0]}" above "{name}"'
            self._report.error(path, message, hint=hint)

    def _check_skip(
        self, path: Path, name: str, kind: type[Filter[Any]], entry: FilterEntry
    ) -> None:
        if kind.fails_closed and entry.on_error == "skip":
            self._report.error(
                (*path, "on_error"),
                f'"{name}" is a guard and cannot be skipped: when it fails, nobody may pass',
                hint=f'set `on_error: fail` on "{name}"',
            )

    def _installed_provider(self, fact: type) -> str:
        for name in self._registry.names():
            try:
                if fact in self._registry.load(name).provides:
                    return f'put "{name}" above it'
            except LookupError:
                continue
        return ""

    def _config(self, path: Path, entry: FilterEntry, kind: type[Filter[Any]]) -> Any:
        try:
            return kind.config_type.model_validate(entry.config)
        except ValidationError as error:
            self._report.validation((*path, "config"), error, kind.config_type)
            return None

    def _make(
        self,
        path: Path,
        name: str,
        entry: FilterEntry,
        kind: type[Filter[Any]],
        provided: dict[type, str],
        *,
        inside: list[Link],
    ) -> Filter[Any] | None:
        config = self._config(path, entry, kind)
        if config is None:
            return None

        def nested(entries: Sequence[FilterEntry], terminal: TerminalFilter[Any]) -> Chain:
            inner = {**provided, **dict.fromkeys(kind.provides, name), Attempt: name}
            links = self.links((*path, "config", "filters"), entries, inner)
            inside.extend(links)
            return Chain([*links, link(terminal, id=name, name=entry.use)])

        services = self._services
        context = FactoryContext(
            id=name,
            document=self._document,
            clock=services.clock,
            random=services.random,
            transport=services.transport,
            tracer=services.tracer,
            meter=services.meter,
            shared=services.shared,
            nested=nested,
            on_error=entry.on_error,
        )
        try:
            return kind(config, context)
        except ConfigError as error:
            for problem in error.problems:
                self._report.error((*path, "config"), str(problem))
        except Exception as error:  # noqa: BLE001 - a constructor of anyone's
            text = _reason(error)
            self._report.error((*path, "config"), f'filter "{name}" cannot be built: {text}')
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return without_input(error)
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
