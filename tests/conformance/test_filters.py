"""What every registered filter owes its users, checked with the kit that is shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from plano_filters.compile import compile_chain
from plano_filters.config import Loaded, load
from plano_filters.exchange import Exchange
from plano_filters.facts import Candidates
from plano_filters.filter import Filter
from plano_filters.registry import Registry
from plano_filters.testing import conformance, make_exchange

ROOT: Final = Path(__file__).parents[2]
NAMES: Final = Registry.from_entry_points().names()
KEY: Final = "sk-team-a-0123456789"
EXAMPLE_ENV: Final = {
    **{
        name: f"value-of-{name.lower()}"
        for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY", "TEAM_B_KEY")
    },
    "TEAM_A_KEY": KEY,
}
PATIENT: Final = {"classify": {"deadline": "30s"}}
"""Options beside the example's: on a busy machine, a late answer is not what is looked for."""
HOLDS: Final = {"remote": ["streams_without_buffering"]}
"""Checks that do not hold, on purpose: a service sees the whole of a sentence before anybody."""
SAID: Final = (
    "Write a program that sorts ☕ by price",
    "A poem about the sea, please",
    "What is the capital of Norway?",
)


def filter_named(name: str) -> type[Filter[Any]]:
    """Load a registered filter."""
    return Registry.from_entry_points().load(name)


def example(name: str) -> Loaded:
    """Load the smallest chain that shows a filter."""
    return load(ROOT / "configs" / "filters" / f"{name}.yaml", env=EXAMPLE_ENV)


def exchanges() -> list[Exchange]:
    """Return requests that every example lets through: each of a session of its own."""
    return [
        make_exchange(
            {"messages": [{"role": "user", "content": text}], "stream": number == 2},
            headers={"authorization": f"Bearer {KEY}", "x-model-affinity": f"session-{number}"},
        )
        for number, text in enumerate(SAID)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_filter_conforms(name: str) -> None:
    """Every check that filter authors are given passes, with the options of the example."""
    document = example(name).document
    config = next(entry.config for entry in document.filters if entry.use == name)
    models = tuple(entry.model for entry in document.model_providers)

    done = conformance.check(
        filter_named(name),
        {**config, **PATIENT.get(name, {})},
        document=document,
        exchanges=exchanges,
        facts=[Candidates(models, "", explicit=False)],
        skip=HOLDS.get(name, ()),
    )

    assert done.failures == {}


@pytest.mark.parametrize("name", NAMES)
def test_the_example_compiles_and_has_the_filter(name: str) -> None:
    """The filter's example is a valid document, without warnings, whose chain has the filter."""
    loaded = example(name)
    chain = compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)
    loaded.report.raise_errors()

    assert name in [link.name for link in chain.links]
    assert loaded.report.warnings == []


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_says_where_it_stands(name: str) -> None:
    """A built-in filter's README opens with its name and its place in the chain."""
    readme = ROOT / "filters" / "plano_builtin_filters" / name / "README.md"
    if not filter_named(name).__module__.startswith("plano_builtin_filters."):
        return  # a stranger's README is the stranger's business
    title, _, rest = readme.read_text(encoding="utf-8").partition("\n")

    assert title == f"# {name}"
    assert "chain" in rest.strip().partition("\n\n")[0]
