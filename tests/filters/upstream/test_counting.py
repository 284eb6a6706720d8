"""How many tokens a request is taken to have."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.upstream.counting import IMAGE, OVERHEAD, PAGE, estimate

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("request_", "tokens"),
    [
        ({}, 1),
        ({"messages": [{"role": "user", "content": "x" * 40}]}, 10 + OVERHEAD),
        ({"system": "x" * 40, "messages": []}, 10),
        ({"system": [{"type": "text", "text": "x" * 40}]}, 10),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]},
            IMAGE + OVERHEAD,
        ),
        (
            {
                "messages": [
                    {
                        "content": [
                            {
                                "type": "document",
                                "source": {"type": "base64", "data": "x" * 250_000},
                            }
                        ]
                    }
                ]
            },
            3 * PAGE + OVERHEAD,
        ),
        ({"tools": [{"name": "abcd", "input_schema": {"type": "object"}}]}, 1),
        ({"max_tokens": 5, "metadata": {"user_id": "x" * 400}}, 1),
    ],
)
def test_what_a_request_has(request_: dict[str, Any], tokens: int) -> None:
    """Text by its length, images and documents by themselves, and nothing but the prompt."""
    assert estimate(request_) == tokens


@given(st.dictionaries(st.sampled_from(["system", "messages", "tools"]), VALUES))
def test_anything_has_a_number(request_: dict[str, Any]) -> None:
    """Whatever a client sends."""
    assert estimate(request_) >= 1
