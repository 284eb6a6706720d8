"""What every registered filter owes its users, whoever wrote it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import BaseModel

from plano_filters.chain import Chain
from plano_filters.compile import Services, compile_chain
from plano_filters.config import Loaded, load
from plano_filters.filter import Filter, FilterConfig
from plano_filters.registry import Registry
from plano_filters.transport import UpstreamTransport

ROOT: Final = Path(__file__).parents[2]
NAMES: Final = Registry.from_entry_points().names()
EXAMPLE_ENV: Final = {
    name: f"value-of-{name.lower()}"
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY", "TEAM_A_KEY", "TEAM_B_KEY")
}


def filter_named(name: str) -> type[Filter[Any]]:
    """Load a registered filter."""
    return Registry.from_entry_points().load(name)


def example(name: str) -> Loaded:
    """Load the smallest chain that shows a filter."""
    return load(ROOT / "configs" / "filters" / f"{name}.yaml", env=EXAMPLE_ENV)


def compiled(
    loaded: Loaded, services: Services | None = None, registry: Registry | None = None
) -> Chain:
    """Compile a document's chain; every problem fails the test."""
    found = registry or Registry.from_entry_points()
    chain = compile_chain(loaded.document, found, loaded.report, services)
    loaded.report.raise_errors()
    return chain


@pytest.mark.parametrize("name", NAMES)
def test_the_example_compiles_and_has_the_filter(name: str) -> None:
    """The filter's example is a valid document, without warnings, whose chain has the filter."""
    loaded = example(name)
    chain = compiled(loaded)

    assert name in [link.name for link in chain.links]
    assert loaded.report.warnings == []


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_described(name: str) -> None:
    """Each config field says what it does; the schema and the editors show it."""
    assert undescribed(filter_named(name).config_type) == []


def undescribed(model: type[BaseModel]) -> list[str]:
    """Return the fields of a model, and of the models in it, that have no description."""
    schema = model.model_json_schema()
    parts = [(model.__name__, schema), *schema.get("$defs", {}).items()]
    ours = {"FilterEntry"}  # the document's own part, described there
    return [
        f"{part}.{field}"
        for part, about in parts
        if part not in ours
        for field, declared in about.get("properties", {}).items()
        if not declared.get("description") and "const" not in declared
    ]


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_refused(name: str) -> None:
    """No key is silently ignored: the filter's config forbids what it does not know."""
    config_type = filter_named(name).config_type

    assert issubclass(config_type, FilterConfig)
    assert config_type.model_config.get("extra") == "forbid"
    assert config_type.model_config.get("frozen") is True


@pytest.mark.parametrize("name", NAMES)
def test_a_constructor_touches_nothing(name: str) -> None:
    """Building the chain opens no file and no socket, and starts no process."""
    loaded, registry = example(name), Registry.from_entry_points()
    compiled(loaded, registry=registry)  # imports what is imported late, which reads files
    with no_side_effects() as touched:
        compiled(loaded, registry=registry)

    assert touched == []


@pytest.mark.parametrize("name", NAMES)
async def test_the_lifespan_begins_and_ends(name: str) -> None:
    """The chain starts and stops, twice, without a network."""
    transport = UpstreamTransport()
    for _ in range(2):
        async with compiled(example(name), Services(transport=lambda: transport)).lifespan():
            pass
    await transport.aclose()


@pytest.mark.parametrize("name", NAMES)
def test_the_class_says_what_it_does(name: str) -> None:
    """`plano-filters filters` shows the first line of the docstring; there is one, a sentence."""
    first = (filter_named(name).__doc__ or "").strip().splitlines()[0]

    assert first.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_says_where_it_stands(name: str) -> None:
    """A built-in filter's README opens with its name and its place in the chain."""
    readme = ROOT / "filters" / "plano_builtin_filters" / name / "README.md"
    if not filter_named(name).__module__.startswith("plano_builtin_filters."):
        return  # a stranger's README is the stranger's business
    title, _, rest = readme.read_text(encoding="utf-8").partition("\n")

    assert title == f"# {name}"
    assert "chain" in rest.strip().partition("\n\n")[0]


# An audit hook cannot be removed, so there is one for the whole run; this says who listens.
_listening: ContextVar[list[str] | None] = ContextVar("_listening", default=None)
_EVENTS = ("open", "socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen")


@pytest.fixture(scope="session", autouse=True)
def _audit() -> None:
    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        seen = _listening.get()
        if seen is not None and event in _EVENTS:
            seen.append(f"{event} {arguments[:1]}")

    sys.addaudithook(hook)


@contextmanager
def no_side_effects() -> Iterator[list[str]]:
    """Collect the files and sockets that are opened in the block."""
    touched: list[str] = []
    token = _listening.set(touched)
    try:
        yield touched
    finally:
        _listening.reset(token)
