"""Which headers go up and which come down."""

from __future__ import annotations

import pytest

from plano_builtin_filters.upstream.headers import Pair, down, up

OURS = [(b"authorization", b"Bearer ours"), (b"x-request-id", b"1")]


def names(pairs: list[Pair]) -> list[str]:
    return [name.decode() for name, _ in pairs]


@pytest.mark.parametrize(
    "name",
    [
        "user-agent", "openai-organization", "openai-project", "anthropic-beta", "content-type",
        "anthropic-version", "x-stainless-lang", "accept", "x-anything", "idempotency-key",
    ],
)  # fmt: skip
def test_goes_up(name: str) -> None:
    """What the provider can make sense of reaches it, byte for byte."""
    pair = (name.encode(), "Café".encode())

    assert pair in up([pair], OURS)


@pytest.mark.parametrize(
    "name",
    [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer",
        "upgrade", "proxy-authorization", "proxy-connection", "expect", "cookie", "x-api-key",
        "api-key", "x-plano-fallback", "x-model-affinity", "x-forwarded-for", "x-real-ip",
        "forwarded", "via", "traceparent", "tracestate", "baggage", "b3", "x-b3-traceid",
        "x-arch-upstream", "x-mock-status",
    ],
)  # fmt: skip
def test_stays_here(name: str) -> None:
    """What is about the client, its connection or this gateway does not reach a provider."""
    assert name not in names(up([(name.encode(), b"1")], OURS))


def test_headers_named_by_connection_stay_here() -> None:
    """A header that `Connection` lists ends at this hop, in both directions."""
    pairs = [(b"connection", b"close, X-Private"), (b"x-private", b"1"), (b"x-public", b"1")]

    assert "x-private" not in names(up(pairs, []))
    assert names(down(pairs)) == ["x-public"]


def test_ours_override_the_clients_and_one_another() -> None:
    """One value of each name goes up: the last of ours."""
    sent = up(
        [(b"authorization", b"Bearer theirs"), (b"user-agent", b"sdk")],
        [*OURS, (b"user-agent", b"configured"), (b"authorization", b"Bearer configured")],
    )

    assert sent == [
        (b"accept-encoding", b"identity"),
        (b"authorization", b"Bearer configured"),
        (b"x-request-id", b"1"),
        (b"user-agent", b"configured"),
    ]


def test_the_client_does_not_choose_the_compression() -> None:
    """Answers are asked for uncompressed, or their events could not be told apart."""
    sent = up([(b"accept-encoding", b"gzip, br")], [])

    assert sent == [(b"accept-encoding", b"identity")]


def test_only_the_mock_sees_its_own_headers() -> None:
    """`x-mock-*` goes to the mock and to nobody else."""
    assert (b"x-mock-status", b"429") in up([(b"x-mock-status", b"429")], [], mock=True)


@pytest.mark.parametrize(
    "name",
    [
        "content-type", "content-encoding", "retry-after", "retry-after-ms", "openai-version",
        "openai-processing-ms", "x-ratelimit-remaining-tokens", "anthropic-organization-id",
        "anthropic-ratelimit-tokens-reset", "x-should-retry",
    ],
)  # fmt: skip
def test_comes_down(name: str) -> None:
    """Rate limits, ids and types reach the client."""
    assert names(down([(name.title().encode(), b"1")])) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Set-Cookie", "Server",
        "Date", "Alt-Svc", "Strict-Transport-Security", "x-plano-model", "Proxy-Authenticate",
    ],
)  # fmt: skip
def test_does_not_come_down(name: str) -> None:
    """What is about the provider's server, or what only we may say, does not reach the client."""
    assert down([(name.encode(), b"1")]) == []


@pytest.mark.parametrize("name", [b"X-Request-Id", b"request-id"])
def test_the_providers_request_id_gets_a_name_of_its_own(name: bytes) -> None:
    """Our request id stands under the usual names; the provider's is kept beside it."""
    assert down([(name, b"req_1")]) == [(b"x-upstream-request-id", b"req_1")]
