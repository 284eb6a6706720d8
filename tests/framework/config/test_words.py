"""Suggestions: which word was meant, and what could stand at a place."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from plano_filters.config import Document
from plano_filters.config.words import dotted, either, fields_at, meant, real_location


class Leaf(BaseModel):
    size: int = 0


class Tree(BaseModel):
    leaves: list[Leaf] = []
    named: dict[str, Leaf | None] = {}
    best: Leaf | None = None


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ((), ["leaves", "named", "best"]),
        (("leaves", 0), ["size"]),
        (("named", "any"), ["size"]),
        (("best",), ["size"]),
        (("best", "size"), []),
        (("none", 3), []),
    ],
)
def test_fields_are_found_through_lists_mappings_and_unions(
    path: tuple[str | int, ...], known: list[str]
) -> None:
    """Suggestions come from the model that stands at the place."""
    assert fields_at(Tree, path) == known


def test_keys_of_older_versions_are_known() -> None:
    """A misspelt key that only migration reads is recognised too."""
    assert "routing_preferences" in fields_at(Document, ("model_providers", 0))


@pytest.mark.parametrize(
    ("location", "place"),
    [
        (("model_metrics_sources", 0, "cost", "url"), ("model_metrics_sources", 0, "url")),
        (("model_providers", 1, "model"), ("model_providers", 1, "model")),
        (("model_providers", 1, "unknown"), ("model_providers", 1, "unknown")),
    ],
)
def test_the_tags_of_unions_are_no_keys(location: Any, place: Any) -> None:
    """pydantic names the arm of a union in between; the file does not."""
    assert real_location(location, Document) == place


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [
        ("prot", "port"),
        ("di", "id"),  # swapped letters are most of a short word
        ("ix", "id"),
        ("adress", "address"),
        ("zzz", ""),
    ],
)
def test_only_close_words_are_suggested(word: str, suggestion: str) -> None:
    """A word unlike all others gets no suggestion."""
    told = meant(word, ["port", "id", "address"])
    assert told == (f'did you mean "{suggestion}"?' if suggestion else "")


def test_paths_and_choices_are_written_plainly() -> None:
    """As a reader would say them."""
    assert dotted(("filters", 2, "config", "keys")) == "filters[2].config.keys"
    assert [either(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == [
        '"a"',
        '"a" or "b"',
        '"a", "b" or "c"',
    ]
