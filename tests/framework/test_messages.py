"""Requests keep their bytes; responses say where an error comes from."""

from __future__ import annotations

import json

import pytest
from starlette.datastructures import MutableHeaders

from plano_filters.errors import BadRequest, RateLimited
from plano_filters.messages import Request, Response


def request(body: bytes) -> Request:
    return Request("POST", "/v1/chat/completions", MutableHeaders(), body)


def test_an_unedited_body_is_the_clients_own() -> None:
    """Reading the payload changes no byte."""
    body = b'{ "model": "a",  "n": 1e2 }'
    made = request(body)

    assert made.payload["n"] == 100
    made.edit(model="a")
    assert made.body == body


def test_an_edit_is_seen_in_payload_and_body() -> None:
    """Both views of a request agree after edits and removals."""
    made = request(b'{"model":"a","keep":[1, 2],"drop":0}')

    made.edit(model="b", stream=True)
    made.remove("drop", "absent")

    assert made.body == b'{"model":"b","keep":[1, 2],"stream":true}'
    assert made.payload == json.loads(made.body)
    assert (made.model, made.stream) == ("b", True)


def test_true_is_not_one() -> None:
    """An edit that changes only the JSON type is an edit."""
    made = request(b'{"n":1}')

    made.edit(n=True)

    assert made.body == b'{"n":true}'


def test_the_payload_is_read_only() -> None:
    """Filters change requests with `edit`, not behind its back."""
    with pytest.raises(TypeError):
        request(b"{}").payload["a"] = 1  # type: ignore[index]


def test_a_copy_is_edited_alone() -> None:
    """An attempt's edits do not reach the request of its exchange."""
    made = request(b'{"model":"a"}')
    copy = made.copy()

    copy.edit(model="b")
    copy.headers["x-new"] = "1"

    assert (made.model, dict(made.headers)) == ("a", {})


def test_a_request_without_a_body_has_an_empty_payload() -> None:
    """GET requests pass filters that look at the payload."""
    assert request(b"").payload == {}
    assert request(b"").model == ""


def test_a_model_that_is_no_string_is_no_model() -> None:
    """`model` never lies about its type."""
    assert request(b'{"model": 3}').model == ""


def test_an_unreadable_body_is_a_bad_request() -> None:
    """Whoever asks for the payload first learns it."""
    with pytest.raises(BadRequest):
        request(b"[]").payload  # noqa: B018


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (
            "chat",
            {
                "error": {
                    "message": "slow down",
                    "type": "rate_limit_error",
                    "param": None,
                    "code": "rate_limit_exceeded",
                }
            },
        ),
        (
            "messages",
            {
                "type": "error",
                "error": {
                    "type": "rate_limit_error",
                    "message": "slow down",
                    "details": {"error_code": "rate_limit_exceeded"},
                },
                "request_id": "r1",
            },
        ),
    ],
)
def test_an_error_is_written_in_the_callers_dialect(dialect: str, expected: object) -> None:
    """Status, headers, envelope and source come from the error."""
    error = RateLimited("slow down", headers={"retry-after": "2"})

    response = Response.from_error(error, dialect, "r1")  # type: ignore[arg-type]

    assert isinstance(response.body, bytes)
    assert json.loads(response.body) == expected
    assert response.status == 429
    assert response.headers["retry-after"] == "2"
    assert response.headers["x-plano-error-source"] == "gateway"
    assert response.error is error
