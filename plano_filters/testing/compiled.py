"""From what a test has, YAML or filters, to a chain that ends with an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from plano_filters.chain import Chain, Link, link
from plano_filters.compile import Services, compile_chain
from plano_filters.config import Document, Loaded, load, load_text
from plano_filters.exchange import Exchange
from plano_filters.filter import Filter, TerminalFilter
from plano_filters.messages import Response
from plano_filters.registry import Registry
from plano_filters.testing.fakes import Answer, Given
from plano_filters.testing.mocked import MockAnswer

Entries = Sequence[Filter[Any] | str | Mapping[str, Any]]
Links = Path | Loaded | str | Mapping[str, Any] | Filter[Any] | Entries
"""A file; a document; it or its `filters:` list as YAML or as values; a filter; or several."""
Terminal = Response | Callable[[Exchange], Response] | TerminalFilter[Any] | None

_AROUND: Mapping[str, Any] = {
    "version": "v0.4.0",
    "model_providers": [{"model": "mock/echo", "default": True}],
}
"""What a list of links needs to be a document."""


def compiled(
    links: Links,
    services: Services,
    registry: Registry | None,
    env: Mapping[str, str],
    *,
    answer: Terminal,
    facts: Sequence[object],
) -> tuple[Chain, Document]:
    """Return the chain, and its document."""
    if isinstance(links, Filter):
        links = [links]
    if isinstance(links, Sequence) and not isinstance(links, str):
        instances = [one for one in links if isinstance(one, Filter)]
        if instances and len(instances) < len(links):
            raise TypeError("a chain is either of filters, or of entries as in YAML; not of both")
        if instances:
            return _of_filters(instances, answer, facts), Document()
    if facts:
        raise ValueError("facts= is for filters; those of a document provide theirs themselves")
    if isinstance(links, Path):
        links = load(links, env=env)
    elif not isinstance(links, Loaded):
        links = load_text(_text(links), name="<test>", env=env)
    return _of_document(links, services, registry or Registry.from_entry_points(), answer)


def _of_filters(filters: Sequence[Filter[Any]], answer: Terminal, facts: Sequence[object]) -> Chain:
    links = [link(Given(facts), id="given", name="given")] if facts else []
    for made in filters:
        taken = sum(one.filter.context.id == made.context.id for one in links)
        name = made.context.id + (f"-{taken + 1}" if taken else "")
        links.append(link(made, id=name, name=type(made).__name__))
    return Chain(_ended(links, answer))


def _of_document(
    loaded: Loaded, services: Services, registry: Registry, answer: Terminal
) -> tuple[Chain, Document]:
    ends = _ends(loaded, registry)
    chain = compile_chain(loaded.document, registry, loaded.report, services, terminal=ends)
    loaded.report.raise_errors()
    return Chain(_ended(chain.links, answer)), loaded.document


def _ends(loaded: Loaded, registry: Registry) -> bool:
    """Say whether a document's chain ends with a terminal filter."""
    entries = [entry for entry in loaded.document.filters if entry.enabled]
    folder = loaded.report.folder
    try:
        return bool(entries) and issubclass(registry.load(entries[-1].use, folder), TerminalFilter)
    except LookupError:
        return True  # the compiler will say what is wrong with the name


def _ended(links: Sequence[Link], answer: Terminal) -> list[Link]:
    if links and links[-1].terminal:
        if answer is not None:
            raise ValueError(f'answer= is never asked: "{links[-1].id}" always answers')
        return list(links)
    if not isinstance(answer, TerminalFilter):
        answer = MockAnswer() if answer is None else Answer(answer)
    return [*links, link(answer, id=answer.context.id, name=answer.context.id)]


def _text(links: str | Mapping[str, Any] | Sequence[Any]) -> str:
    """Return a document as text, so that its errors have lines."""
    if isinstance(links, str):
        try:
            parsed = yaml.safe_load(links)
        except yaml.YAMLError:
            return links  # the loader will say where it is wrong
        if not isinstance(parsed, list):
            return links
        links = parsed
    tree = links if isinstance(links, Mapping) else {**_AROUND, "filters": list(links)}
    return yaml.safe_dump(dict(tree), sort_keys=False)
