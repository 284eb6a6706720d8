"""Which of a client's headers a service gets to see. Pairs of bytes, names lower."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

Pair = tuple[bytes, bytes]

_HOP_BY_HOP: Final = frozenset({
    b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
    b"upgrade", b"expect",
})  # fmt: skip
"""About one connection, not about the message. Source: RFC 9110 section 7.6.1."""
_OF_THE_BODY: Final = frozenset({
    b"host", b"content-length", b"content-type", b"content-encoding", b"accept",
    b"accept-encoding", b"content-md5", b"digest", b"content-digest",
})  # fmt: skip
"""About the client's own message; a call says its own."""
CREDENTIALS: Final = frozenset({
    b"authorization", b"proxy-authorization", b"x-api-key", b"api-key", b"x-goog-api-key",
    b"cookie",
})  # fmt: skip
"""Held back unless the definition asks for them: they are for the gateway or for a provider."""
_MCP: Final = (b"mcp-", b"last-event-id")
"""A client's own sessions with MCP servers are none of a service's."""


def outgoing(
    client: Sequence[Pair], ours: Iterable[Pair], *, pass_credentials: bool = False
) -> list[Pair]:
    """Return the headers of a call: the client's less what is not for the service, then ours.

    Args:
        client: The client's headers.
        ours: Override the client's, and earlier ones of ours, by name.
        pass_credentials: Whether the client's credentials go along.
    """
    own = dict([(b"accept-encoding", b"identity"), *ours])
    listed = {
        token.strip().lower()
        for name, value in client
        if name == b"connection"
        for token in value.split(b",")
    }
    dropped = _HOP_BY_HOP | _OF_THE_BODY | listed | own.keys()
    if not pass_credentials:
        dropped |= CREDENTIALS
    kept = [p for p in client if p[0] not in dropped and not p[0].startswith(_MCP)]
    return [*kept, *own.items()]
