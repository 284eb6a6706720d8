"""Which headers go up to a provider and which come down from it. Pairs of bytes, names lower."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

Pair = tuple[bytes, bytes]

HOP_BY_HOP: Final = frozenset({
    b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
    b"upgrade", b"proxy-authenticate", b"proxy-authorization",
})  # fmt: skip
"""About one connection, not about the message. Source: RFC 9110 section 7.6.1."""
CREDENTIALS: Final = frozenset({b"authorization", b"x-api-key", b"api-key", b"cookie"})
TRACING: Final = frozenset({b"traceparent", b"tracestate", b"baggage", b"b3"})
NOT_UP: Final = HOP_BY_HOP | CREDENTIALS | TRACING | {
    b"host", b"content-length", b"accept-encoding", b"expect", b"forwarded", b"via", b"x-real-ip",
    b"x-request-id", b"x-model-affinity",
}  # fmt: skip
"""Of a client's request: what says who or where the client is, and what we say ourselves."""
NOT_UP_PREFIXES: Final = (b"x-plano-", b"x-arch-", b"x-forwarded-", b"x-b3-")
NOT_TRANSLATED_PREFIXES: Final = (b"anthropic-", b"openai-")
"""About the API that the client thinks it asks; not sent where another one is asked."""
MOCK_PREFIX: Final = b"x-mock-"
NOT_DOWN: Final = HOP_BY_HOP | {
    b"content-length", b"set-cookie", b"server", b"date", b"alt-svc", b"strict-transport-security",
}  # fmt: skip
"""Of a provider's answer: what is about its server and its connection."""
ABOUT_BODY: Final = frozenset({
    b"content-type", b"content-encoding", b"etag", b"content-md5", b"digest", b"content-digest",
    b"repr-digest",
})  # fmt: skip
RENAMED: Final = {
    b"x-request-id": b"x-upstream-request-id",
    b"request-id": b"x-upstream-request-id",
}
"""The provider's ids; ours stand under the usual names."""


def up(
    client: Sequence[Pair],
    ours: Iterable[Pair],
    *,
    mock: bool = False,
    translated: bool = False,
) -> list[Pair]:
    """Return the headers of a try: the client's less what is ours to say, then ours.

    Args:
        client: The client's headers.
        ours: Override the client's, and earlier ones of ours, by name.
        mock: Let `x-mock-*` through; only the mock understands them.
        translated: The client speaks another dialect than the provider.
    """
    own = dict([(b"accept-encoding", b"identity"), *ours])
    dropped = NOT_UP.union(own, _listed(client))
    prefixes = (
        *NOT_UP_PREFIXES,
        *(() if mock else (MOCK_PREFIX,)),
        *(NOT_TRANSLATED_PREFIXES if translated else ()),
    )
    kept = [p for p in client if p[0] not in dropped and not p[0].startswith(prefixes)]
    return [*kept, *own.items()]


def down(provider: Iterable[Pair], *, rewritten: bool = False) -> list[Pair]:
    """Return what a client gets to see: rate limits, ids, types; nothing of the connection.

    Args:
        provider: The answer's headers.
        rewritten: The body is not the provider's any more; what describes that one is left out.
    """
    pairs = [(name.lower(), value) for name, value in provider]
    dropped = NOT_DOWN.union(_listed(pairs), ABOUT_BODY if rewritten else ())
    return [
        (RENAMED.get(name, name), value)
        for name, value in pairs
        if name not in dropped and not name.startswith(b"x-plano-")
    ]


def _listed(pairs: Iterable[Pair]) -> set[bytes]:
    """Return the names that `Connection` lists: they end at this hop too."""
    return {
        token.strip().lower()
        for name, value in pairs
        if name == b"connection"
        for token in value.split(b",")
    }
