"""Answers before an exchange, and request ids."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from plano_filters.errors import NotFound
from plano_filters.refusal import refusal, request_id


@pytest.mark.parametrize("given", ["abc", "a b", "x" * 128])
def test_a_usable_id_is_the_clients(given: str) -> None:
    """Whoever traces a request by an id of its own finds it here."""
    assert request_id(Headers({"x-request-id": given})) == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a\tb", "\u00e9"])
def test_an_unusable_id_is_replaced(given: str) -> None:
    """What would spoil a log line or a header is not taken."""
    made = request_id(Headers({"x-request-id": given}))

    assert made != given
    assert made.isalnum()


def test_a_refusal_is_complete() -> None:
    """It carries its length, both ids, and whose fault it is."""
    response, body = refusal(NotFound("no such path"), "messages", Headers({"x-request-id": "me"}))

    assert response.status == 404
    assert response.headers["content-length"] == str(len(body))
    assert response.headers["request-id"] == response.headers["x-request-id"] == "me"
    assert response.headers["x-plano-error-source"] == "gateway"
    assert b'"request_id"' in body
