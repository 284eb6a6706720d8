"""What a request needs, in three dialects, and from anything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.rerank.needs import Needs, needs_of, tokens_of

URL = "data:image/png;base64," + "A" * 4000
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}


def user(*parts: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


@pytest.mark.parametrize(
    ("payload", "needs"),
    [
        (user({"type": "text", "text": "hello"}), Needs()),
        (user({"type": "image_url", "image_url": {"url": URL}}), Needs(images=True)),
        (user({"type": "image", "source": {"type": "base64", "data": "AA"}}), Needs(images=True)),
        (
            user({"type": "tool_result", "content": [{"type": "image", "source": {}}]}),
            Needs(images=True),
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": URL}]}]},
            Needs(images=True),
        ),
        ({"tools": [{"type": "function"}]}, Needs(tools=True)),
        ({"tools": []}, Needs()),
        ({"functions": [{"name": "f"}]}, Needs(tools=True)),
        ({"response_format": SCHEMA}, Needs(structured=True)),
        ({"response_format": {"type": "json_object"}}, Needs()),
        ({"text": {"format": SCHEMA}}, Needs(structured=True)),
        ({"output_config": {"format": SCHEMA}}, Needs(structured=True)),
        ({"output_format": SCHEMA}, Needs(structured=True)),
    ],
)
def test_needs_of(payload: dict[str, Any], needs: Needs) -> None:
    """Each dialect writes it in its own place."""
    assert needs_of(payload) == needs


def test_an_image_named_in_a_schema_is_no_image() -> None:
    """Only what stands in the conversation counts."""
    tool = {"type": "function", "function": {"parameters": {"properties": {"type": "image"}}}}
    assert needs_of({"tools": [tool]}) == Needs(tools=True)


@pytest.mark.parametrize(
    ("payload", "tokens"),
    [
        ({"messages": [{"role": "user", "content": "x" * 396}]}, 100),
        ({"input": "x" * 400}, 100),
        ({"system": [{"type": "text", "text": "x" * 396}]}, 100),
        ({"instructions": "é" * 200}, 100),
        (user({"type": "image_url", "image_url": {"url": URL}}), 3),
        (user({"type": "image", "source": {"type": "base64", "data": "A" * 4000}}), 3),
        ({"metadata": {"note": "x" * 4000}}, 0),
    ],
)
def test_tokens_of(payload: dict[str, Any], tokens: int) -> None:
    """Four bytes of text are one; images are no text."""
    assert tokens_of(payload) == tokens


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("\ud800"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "content", "messages", "format", "text", "data"]), inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)  # fmt: skip
FIELDS = ["messages", "input", "tools", "system", "response_format", "text", "output_config"]


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=4))
def test_no_body_is_too_strange(payload: dict[str, Any]) -> None:
    """Whatever a client sends, nothing is raised."""
    assert isinstance(needs_of(payload), Needs)
    assert tokens_of(payload) >= 0
