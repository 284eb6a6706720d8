"""Which of a client's headers a service sees."""

from __future__ import annotations

import pytest

from plano_builtin_filters.remote.headers import outgoing

CLIENT = [
    (b"host", b"gateway"),
    (b"authorization", b"Bearer sk-secret"),
    (b"x-api-key", b"sk-secret"),
    (b"cookie", b"session=secret"),
    (b"content-length", b"3"),
    (b"content-type", b"application/json; charset=utf-8"),
    (b"accept-encoding", b"gzip"),
    (b"connection", b"keep-alive, x-hop"),
    (b"x-hop", b"1"),
    (b"mcp-session-id", b"of the client"),
    (b"x-tenant", b"acme"),
    (b"x-request-id", b"of the client"),
    (b"x-tag", b"one"),
    (b"x-tag", b"two"),
]


def test_what_is_for_the_gateway_or_for_one_connection_stays_behind() -> None:
    """Credentials, lengths, hosts and sessions do not go along; everything else does, as often."""
    kept = outgoing(CLIENT, [(b"x-request-id", b"ours"), (b"content-type", b"text/plain")])

    assert kept == [
        (b"x-tenant", b"acme"),
        (b"x-tag", b"one"),
        (b"x-tag", b"two"),
        (b"accept-encoding", b"identity"),
        (b"x-request-id", b"ours"),
        (b"content-type", b"text/plain"),
    ]


def test_credentials_go_along_when_the_definition_says_so() -> None:
    """As Plano does; but what the definition sets itself counts."""
    kept = outgoing(CLIENT, [(b"x-api-key", b"of the definition")], pass_credentials=True)

    assert (b"authorization", b"Bearer sk-secret") in kept
    assert (b"cookie", b"session=secret") in kept
    assert [value for name, value in kept if name == b"x-api-key"] == [b"of the definition"]


@pytest.mark.parametrize("name", [b"authorization", b"x-api-key"])
def test_a_service_has_a_credential_of_its_own(name: bytes) -> None:
    """What the definition sets is sent, though the client's is not."""
    assert (name, b"for the service") in outgoing(CLIENT, [(name, b"for the service")])
