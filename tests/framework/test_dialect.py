"""Which path means what, and how each dialect says that a stream broke."""

from __future__ import annotations

import json

import pytest

from plano_filters.dialect import error_document, error_event, keep_alive, operation_for
from plano_filters.errors import BadRequest, Blocked, UpstreamFailed
from plano_filters.sse import Splitter


@pytest.mark.parametrize(
    ("path", "headers", "endpoint", "dialect", "route"),
    [
        ("/v1/chat/completions", {}, "chat", "chat", "/v1/chat/completions"),
        ("/v1/responses", {}, "responses", "responses", "/v1/responses"),
        ("/v1/embeddings", {}, "embeddings", "embeddings", "/v1/embeddings"),
        ("/v1/messages", {}, "messages", "messages", "/v1/messages"),
        ("/v1/v1/messages", {}, "messages", "messages", "/v1/messages"),
        ("/routing/v1/v1/messages", {}, "messages", "messages", "/routing/v1/messages"),
        ("/v1/messages/v1/v1/", {}, "other", "messages", "other"),
        (
            "/v1/messages/count_tokens",
            {},
            "count_tokens",
            "messages",
            "/v1/messages/count_tokens",
        ),
        ("/v1/models", {}, "models", "chat", "/v1/models"),
        ("/v1/models/openai/gpt-4o", {}, "models", "chat", "/v1/models/{id}"),
        ("/v1/models", {"anthropic-version": "2023-06-01"}, "models", "messages", "/v1/models"),
        ("/v1/unknown", {}, "other", "chat", "other"),
        ("/v1/messages/unknown", {}, "other", "messages", "other"),
        ("/v1/unknown", {"anthropic-version": "2023-06-01"}, "other", "messages", "other"),
        ("/routing/v1/chat/completions", {}, "chat", "chat", "/routing/v1/chat/completions"),
        ("/routing/v1/responses", {}, "responses", "responses", "/routing/v1/responses"),
        ("/routing/v1/messages", {}, "messages", "messages", "/routing/v1/messages"),
        ("/routing/v1/embeddings", {}, "other", "chat", "other"),
        ("/routing/v1/messages/unknown", {}, "other", "messages", "other"),
    ],
)
def test_a_path_says_what_is_asked_for(
    path: str, headers: dict[str, str], endpoint: str, dialect: str, route: str
) -> None:
    """Endpoint, dialect of the answer, and a route of low cardinality."""
    found = operation_for(path, headers)

    assert (found.endpoint, found.dialect, found.route) == (endpoint, dialect, route)
    assert found.deciding == route.startswith("/routing/")


@pytest.mark.parametrize(
    ("dialect", "name", "field"),
    [
        ("chat", "", "error"),
        ("embeddings", "", "error"),
        ("responses", "error", "code"),
        ("messages", "error", "error"),
    ],
)
def test_an_error_event_is_one_whole_event(dialect: str, name: str, field: str) -> None:
    """A client's parser reads it as an error, and never as a clean end."""
    raw = error_event(UpstreamFailed("broke off"), dialect, "r1")  # type: ignore[arg-type]

    events = Splitter().feed(raw)
    assert len(events) == 1
    assert events[0].name == name
    document = json.loads(events[0].data)
    assert field in document
    assert "broke off" in json.dumps(document)
    assert b"[DONE]" not in raw


@pytest.mark.parametrize("dialect", ["chat", "responses", "embeddings"])
def test_a_keep_alive_is_a_comment(dialect: str) -> None:
    """OpenAI clients take anything else for an event."""
    assert keep_alive(dialect).startswith(b":")  # type: ignore[arg-type]


def test_an_anthropic_keep_alive_is_a_ping() -> None:
    """Anthropic's stream has an event for it."""
    assert keep_alive("messages") == b'event: ping\ndata: {"type": "ping"}\n\n'


def test_what_a_filter_says_stands_beside_the_error() -> None:
    """In the place that each dialect has for more; without more, nothing is added."""
    blocked = Blocked("not this", status=403, details={"filter": "guard"})

    chat, messages = (
        error_document(blocked, "chat", "id"),
        error_document(blocked, "messages", "id"),
    )

    assert chat["error"] == {
        "message": "not this",
        "type": "invalid_request_error",
        "param": None,
        "code": "filter_blocked",
        "details": {"filter": "guard"},
    }
    assert messages["error"] == {
        "type": "permission_error",
        "message": "not this",
        "details": {"error_code": "filter_blocked", "filter": "guard"},
    }
    assert "details" not in str(error_document(BadRequest("no"), "chat", "id"))
