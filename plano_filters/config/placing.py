"""Remote filters: whether they can be called, who calls them, and where in the chain they stand.

Plano resolves the model, runs the input filters, routes; so they stand behind `auth` and `alias`
and before everything that reads what the client said. `docs/adr/0019` has the reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from plano_filters.config.check_models import is_header, is_url
from plano_filters.config.document import Document, FilterEntry, Listener
from plano_filters.config.problems import Report
from plano_filters.config.shapes import normalise
from plano_filters.config.source import Source
from plano_filters.config.types import set_apart
from plano_filters.config.words import Path, meant

LINK: Final = "remote"
"""Name of the filter that calls a service."""
BEFORE: Final = frozenset({"auth", "alias"})
"""Filters that a listener's filters stand behind."""
PHASES: Final = {"input_filters": "request", "output_filters": "response"}
"""What the filters of a listener's key see."""


def place(document: Document, source: Source) -> Document:
    """Return the document with a link for each filter that its listeners name.

    All listeners name the same ones; `check_named` sees to that. One that has a link of its own in
    the chain, for the same phase, keeps the place that link has.

    Args:
        document: With its chain.
        source: Learns where the links come from, for errors.
    """
    if not document.listeners:
        return document
    defaults = {one.id: one.on_error for one in document.remote_filters}
    chain = [_with_default(entry, defaults) for entry in document.filters]
    new = list(_new_links(document.listeners[0], chain, defaults))
    at = max((i + 1 for i, entry in enumerate(chain) if entry.use in BEFORE), default=0)
    _make_room(source, at, len(new))
    for index, (path, _) in enumerate(new, start=at):
        source.moved(("filters", index), path)
    links = [entry for _, entry in new]
    return document.model_copy(update={"filters": (*chain[:at], *links, *chain[at:])})


def _with_default(entry: FilterEntry, defaults: dict[str, Any]) -> FilterEntry:
    """Let a link that does not say what a failure does say what the definition says."""
    name = entry.config.get("filter")
    if entry.use != LINK or "on_error" in entry.model_fields_set or name not in defaults:
        return entry
    return entry.model_copy(update={"on_error": defaults[name]})


def _new_links(
    listener: Listener, chain: list[FilterEntry], defaults: dict[str, Any]
) -> Iterator[tuple[Path, FilterEntry]]:
    """Yield the links to add, from the client's side, and where the file names them."""
    there = {
        (entry.config.get("filter"), phase)
        for entry in chain
        if entry.use == LINK
        for phase in _phases(entry.config)
    }
    for key, phase in PHASES.items():
        named = list(enumerate(getattr(listener, key)))
        # Answers meet the last link first, and the first filter of the list is to see them first.
        for index, name in named if phase == "request" else reversed(named):
            if name in defaults and (name, phase) not in there:
                both = phase == "response" and name in listener.input_filters
                link = FilterEntry(
                    use=LINK,
                    id=f"{name}.output" if both else name,
                    on_error=defaults[name],
                    config={"filter": name, "phases": [phase]},
                )
                yield ("listeners", 0, key, index), link


def _phases(config: dict[str, Any]) -> list[str]:
    given = config.get("phases", ["request"])
    return [one for one in given if isinstance(one, str)] if isinstance(given, list) else []


def _make_room(source: Source, at: int, count: int) -> None:
    """Move what is known of the places of links."""

    def shifted(path: Path) -> Path:
        index = path[1] if len(path) > 1 and path[0] == "filters" else None
        behind = isinstance(index, int) and index >= at
        return ("filters", index + count, *path[2:]) if isinstance(index, int) and behind else path

    source.origins = {shifted(path): origin for path, origin in source.origins.items()}


def check_definitions(document: Document, report: Report) -> None:
    """Report definitions that cannot be called."""
    seen: set[str] = set()
    for index, remote in enumerate(document.remote_filters):
        here = ("remote_filters", index)
        if not remote.id:
            report.error((*here, "id"), "a remote filter needs an id")
        elif not remote.id.isascii() or not is_header("x-arch-upstream", remote.id):
            report.error((*here, "id"), "the id goes into a header, so it must be plain ASCII text")
        elif remote.id in seen:
            report.error((*here, "id"), f'two filters have the id "{remote.id}"')
        seen.add(remote.id)
        _check_url(here, remote.url, report)
        for name, value in remote.headers.items():
            if not is_header(name, value.reveal()):
                report.error((*here, "headers", name), f'no header can carry "{name}"', on_key=True)
        for key in ("tool", "transport"):
            if remote.type == "http" and key in set_apart(remote):
                report.warning((*here, key), f"a filter of type http has no {key}", on_key=True)


def _check_url(here: Path, url: str, report: Report) -> None:
    path = (*here, "url")
    if not is_url(url):
        report.error(path, "url must be a URL with http:// or https:// and a host")
        return
    parts = urlsplit(url)
    if parts.username is not None:
        hint = "put the credential into `headers`"
        report.error(path, "url must not have a credential in it", hint=hint)
    if parts.query or parts.fragment:
        report.error(path, "url must end with a path: that of the request follows it")


def check_named(document: Document, report: Report) -> None:
    """Report ids of listeners that nothing defines, or that stand there twice."""
    known = [remote.id for remote in document.remote_filters]
    for index, listener in enumerate(document.listeners):
        for key in PHASES:
            here = ("listeners", index, key)
            names = getattr(listener, key)
            for position, name in enumerate(names):
                if name not in known:
                    defined = ", ".join(sorted(known)) or "none"
                    message = f'no remote filter "{name}" is defined in filters'
                    hint = meant(name, known)
                    report.error((*here, position), f"{message} (defined: {defined})", hint=hint)
                elif name in names[:position]:
                    report.error((*here, position), f'"{name}" stands in {key} twice')
            if names != getattr(document.listeners[0], key):
                first = document.listeners[0].name
                report.error(
                    here if key in listener.model_fields_set else here[:2],
                    f'all listeners share one chain, so {key} must be that of "{first}"',
                    hint="give every listener the same filters",
                    on_key=True,
                )


def check_used(document: Document, report: Report) -> None:
    """Warn of definitions that no listener and no link names."""
    used = {name for listener in document.listeners for name in listener.input_filters}
    answers = {name for listener in document.listeners for name in listener.output_filters}
    for name, phases in _linked(document.filters):
        used.add(name)
        answers |= {name} if "response" in phases else set()
    for index, remote in enumerate(document.remote_filters):
        if remote.id and remote.id not in used | answers:
            report.warning(
                ("remote_filters", index),
                f'nothing calls the remote filter "{remote.id}"',
                hint="name it in input_filters or output_filters of a listener, or in a `remote`",
            )
        elif remote.id not in answers and "unit" in set_apart(remote):
            message = "unit is about answers, and this filter sees requests only"
            report.warning(("remote_filters", index, "unit"), message, on_key=True)


def _linked(entries: Iterable[Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield the filters that links name and what they see, in nested lists too."""
    for entry in entries:
        made = entry.model_dump() if isinstance(entry, FilterEntry) else normalise(entry)[0] or {}
        config = made.get("config")
        if isinstance(config, dict):
            if made.get("use") == LINK:
                yield str(config.get("filter")), _phases(config)
            nested = config.get("filters")
            yield from _linked(nested if isinstance(nested, list | tuple) else ())
