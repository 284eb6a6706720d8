"""Every key of the document has a description and a place on the page about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from plano_filters.compile import compile_chain
from plano_filters.config import Document, ModelProvider
from plano_filters.registry import Registry
from tests.framework.config.reading import CONFIGS, read

PAGE = (CONFIGS.parent / "docs" / "configuration.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def models(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from models(field.annotation)
    for inner in get_args(kind):
        yield from models(inner)


@pytest.mark.parametrize("model", sorted(set(models(Document)), key=str))
def test_every_key_is_on_the_page(model: type[BaseModel]) -> None:
    """A reader finds each key by its name."""
    named = set(re.findall(r"`([^`\n]+)`", PAGE))
    words = {word for text in named for word in re.findall(r"[a-z_]+", text)}
    assert [key for key in model.model_fields if key not in words | {"remote_filters"}] == []


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_on_the_page_is_right(block: str) -> None:
    """What a reader copies compiles."""
    loaded = read(block)
    compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)
    assert [problem.message for problem in loaded.report.errors] == []


@pytest.mark.parametrize(
    ("model", "provider", "model_id", "wildcard"),
    [
        ("openai/gpt-4o", "openai", "gpt-4o", False),
        ("together_ai/meta/Llama:8b", "together_ai", "meta/Llama:8b", False),
        ("openai/*", "openai", "*", True),
        ("bare", "bare", "", False),
    ],
)
def test_a_model_name_has_two_parts(
    model: str, provider: str, model_id: str, wildcard: bool
) -> None:
    """The provider ends at the first slash."""
    entry = ModelProvider(model=model)
    assert (entry.provider, entry.model_id, entry.wildcard) == (provider, model_id, wildcard)
