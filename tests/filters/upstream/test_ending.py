"""What ends a stream, and what only looks like it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.upstream.ending import Ending
from plano_filters.dialect import Dialect

DONE = b"data: [DONE]\n\n"
FINISHED = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'


@pytest.mark.parametrize(
    ("dialect", "block", "complete", "even_broken"),
    [
        ("chat", DONE, True, True),
        ("chat", b"data:[DONE]\r\n\r\n", True, True),
        ("chat", FINISHED + DONE, True, True),
        ("chat", FINISHED, True, False),  # some providers never send [DONE]
        ("chat", b'data: {"choices":[{"delta":{},"finish_reason":null}]}\n\n', False, False),
        ("chat", b": [DONE]\n\n", False, False),
        ("messages", b'event: message_stop\ndata: {"type":"message_stop"}\n\n', True, True),
        ("messages", b'data: {"type": "message_stop"}\n\n', True, True),
        ("messages", b'event: message_delta\ndata: {"type":"message_delta"}\n\n', False, False),
        ("messages", DONE, False, False),
        ("responses", b'data: {"type":"response.completed"}\n\n', True, True),
        ("responses", b'data: {"type":"response.incomplete"}\n\n', True, True),
        ("responses", b'data: {"type":"response.failed"}\n\n', True, True),
        ("responses", b'data: {"type":"response.created"}\n\n', False, False),
    ],
)
def test_complete(dialect: Dialect, block: bytes, complete: bool, even_broken: bool) -> None:
    """Each dialect has its last event; after it not even a broken connection matters."""
    ending = Ending(dialect)
    ending.see(block)

    assert ending.complete(broken=False) is complete
    assert ending.complete(broken=True) is even_broken


@pytest.mark.parametrize("dialect", ["chat", "messages", "responses", "embeddings"])
@given(
    st.lists(
        st.sampled_from(
            [
                "data: [DONE]", "\n", "\r\n", '"type":"message_stop"', "event: message_stop",
                '"type": "response.completed"', '"finish_reason":"stop"', "\\", '"', "é", "{}",
            ]
        )
    )
)  # fmt: skip
def test_a_model_that_writes_about_streams_does_not_end_one(
    dialect: Dialect, words: list[str]
) -> None:
    """Whatever a model says, its text is never taken for the end."""
    ending = Ending(dialect)
    delta = {"type": "x", "choices": [{"delta": {"content": "".join(words)}}]}
    ending.see(b"data: " + json.dumps(delta).encode() + b"\n\n")

    assert not ending.complete(broken=False)
