"""What a provider's error becomes in another dialect."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.upstream.reported import LONGEST, reported, request_id
from plano_filters.dialect import error_document


def anthropic(kind: str, message: str = "no", **more: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message, **more}}


def openai(message: str = "no", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "x", "param": None, "code": None, **fields}}


@pytest.mark.parametrize(
    ("status", "document", "kind", "code"),
    [
        (400, anthropic("invalid_request_error"), "invalid_request_error", "invalid_request_error"),
        (401, anthropic("authentication_error"), "invalid_request_error", "invalid_api_key"),
        (402, anthropic("billing_error"), "invalid_request_error", "billing_error"),
        (403, anthropic("permission_error"), "permission_error", "permission_error"),
        (404, anthropic("not_found_error"), "invalid_request_error", "model_not_found"),
        (413, anthropic("request_too_large"), "invalid_request_error", "request_too_large"),
        (429, anthropic("rate_limit_error"), "rate_limit_exceeded", "rate_limit_exceeded"),
        (500, anthropic("api_error"), "server_error", "api_error"),
        (529, anthropic("overloaded_error"), "server_error", "overloaded_error"),
        (
            400,
            anthropic("invalid_request_error", "prompt is too long: 250000 tokens > 200000"),
            "invalid_request_error",
            "context_length_exceeded",
        ),
        (
            400,
            anthropic("invalid_request_error", details={"error_code": "bad_thing"}),
            "invalid_request_error",
            "bad_thing",
        ),
    ],
)
def test_anthropics_error_for_an_openai_client(
    status: int, document: dict[str, Any], kind: str, code: str
) -> None:
    """Type by status; the provider's code, else the one OpenAI's clients look for."""
    said = error_document(reported(document, status), "chat", "r1")

    assert said == {
        "error": {
            "message": document["error"]["message"],
            "type": kind,
            "param": None,
            "code": code,
        }
    }


@pytest.mark.parametrize(
    ("status", "document", "kind", "code"),
    [
        (400, openai(code="context_length_exceeded"), "invalid_request_error",
         "context_length_exceeded"),
        (401, openai(code="invalid_api_key"), "authentication_error", "invalid_api_key"),
        (404, openai(code="model_not_found"), "not_found_error", "model_not_found"),
        (422, openai(), "invalid_request_error", "x"),
        (429, openai(code="insufficient_quota"), "rate_limit_error", "insufficient_quota"),
        (429, openai(type="tokens"), "rate_limit_error", "rate_limit_exceeded"),
        (503, openai(type="server_error"), "api_error", "server_error"),
        (504, openai(), "timeout_error", "x"),
    ],
)  # fmt: skip
def test_openais_error_for_an_anthropic_client(
    status: int, document: dict[str, Any], kind: str, code: str
) -> None:
    """Type by status; the code goes into the details."""
    said = error_document(reported(document, status), "messages", "r1")

    assert said == {
        "type": "error",
        "error": {"type": kind, "message": "no", "details": {"error_code": code}},
        "request_id": "r1",
    }


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"error": "plain"}, "plain"),
        ({"detail": "not here"}, "not here"),
        ({"object": "error", "message": "mistral says", "type": "invalid"}, "mistral says"),
        ({"message": "aws says"}, "aws says"),
        ({"error": {"code": 404, "message": "gone", "status": "NOT_FOUND"}}, "gone"),
        ({"strange": [1, 2]}, '{"strange":[1,2]}'),
    ],
)
def test_the_message_survives_whatever_its_shape(document: dict[str, Any], message: str) -> None:
    """OpenAI's envelope is not the only one that is called compatible."""
    assert reported(document, 400).detail == message


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (anthropic("overloaded_error"), 529),
        (anthropic("rate_limit_error"), 429),
        (anthropic("api_error"), 500),
        (openai(code="rate_limit_exceeded"), 429),
        (openai(type="server_error"), 500),
        ({"error": {"message": "no", "code": 503}}, 503),
        ({"error": {"message": "no"}}, 502),
    ],
)
def test_an_error_in_a_stream_has_the_status_that_its_type_means(
    document: dict[str, Any], status: int
) -> None:
    """There is no other: the head said 200."""
    assert reported(document).status == status


def test_the_parameter_survives() -> None:
    """The field at fault is the provider's name of it."""
    assert reported(openai(param="max_tokens"), 400).param == "max_tokens"


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"request_id": "req_1"}, "req_1"),
        ({"request_id": 1}, None),
        ({"request_id": "a\r\nb"}, None),
        ({}, None),
    ],
)
def test_the_request_id_of_a_body(document: dict[str, Any], found: str | None) -> None:
    """Only what a header can carry."""
    assert request_id(document) == found


@given(
    st.dictionaries(
        st.sampled_from(["error", "message", "detail", "type", "code"]),
        st.recursive(
            st.none() | st.integers(min_value=-(2**40), max_value=2**40) | st.text(),
            lambda inner: st.dictionaries(st.sampled_from(["message", "type", "code"]), inner),
        ),
    )
)
def test_any_object_is_an_error(document: dict[str, Any]) -> None:
    """Nothing a provider says breaks the gateway, and nothing endless is passed on."""
    error = reported(document)

    assert 400 <= error.status <= 599
    assert error.code
    assert isinstance(error.detail, str)
    if not isinstance(document.get("error"), str):
        assert len(error.detail) <= max(LONGEST, len(str(document)))
