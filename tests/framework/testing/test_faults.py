"""The fault zoo does what its names say, on the wire."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from plano_filters.testing import chain, faults, mock_provider

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
WHOLE = 15
"""Events of the mock's answer to this, `[DONE]` included."""


class Read:
    """What a client got of an answer."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers = httpx.Headers()
        self.body = b""
        self.error: Exception | None = None

    @property
    def events(self) -> list[bytes]:
        return self.body.split(b"\n\n")[:-1]


async def read(base_url: str, *, stream: bool = False, seconds: float = 10.0) -> Read:
    """Ask once; keep what came before an error, or before the time was over."""
    got = Read()
    try:
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncClient(trust_env=False, timeout=None) as client,
            client.stream(
                "POST", f"{base_url}/chat/completions", json={**BODY, "stream": stream}
            ) as response,
        ):
            got.status, got.headers = response.status_code, response.headers
            async for chunk in response.aiter_raw():
                got.body += chunk
    except (httpx.HTTPError, TimeoutError) as error:
        got.error = error
    return got


async def test_a_sequence_is_served_in_order_and_its_last_stays() -> None:
    """First a 429 that says when to come back, then answers."""
    sequence = faults.status(429, retry_after=2), faults.fine()
    async with faults.serve(*sequence) as base_url:
        answers = [await read(base_url) for _ in range(3)]

    assert [answer.status for answer in answers] == [429, 200, 200]
    assert answers[0].headers["retry-after"] == "2"
    assert json.loads(answers[0].body)["error"]["code"] == "rate_limit_exceeded"


async def test_connections_are_refused() -> None:
    """Nobody listens, and nobody else can take the port meanwhile."""
    async with faults.serve(faults.connect_refused()) as base_url:
        got = await read(base_url)

    assert isinstance(got.error, httpx.ConnectError)


async def test_a_host_does_not_resolve() -> None:
    """The name is reserved for that."""
    async with faults.serve(faults.dns_failure()) as base_url:
        got = await read(base_url)

    assert isinstance(got.error, httpx.ConnectError)


@pytest.mark.parametrize(
    ("fault", "status", "events"),
    [(faults.stall_before_first(), None, 0), (faults.stall_after(2), 200, 2)],
    ids=str,
)
async def test_a_stall_says_nothing_more(
    fault: faults.Fault, status: int | None, events: int
) -> None:
    """Until the client gives up."""
    async with faults.serve(fault) as base_url:
        got = await read(base_url, stream=True, seconds=0.3)

    assert isinstance(got.error, TimeoutError)
    assert (got.status, len(got.events)) == (status, events)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_cut_comes_in_the_middle(*, stream: bool) -> None:
    """Of the event after so many; of a plain body in its half."""
    async with faults.serve(faults.cut_after(3)) as base_url:
        got = await read(base_url, stream=stream)

    assert isinstance(got.error, httpx.HTTPError)
    assert got.status == 200
    assert len(got.events) == (3 if stream else 0)
    assert got.body


async def test_an_event_is_no_json() -> None:
    """The one of that number; the stream goes on and ends."""
    async with faults.serve(faults.bad_json_at(2)) as base_url:
        got = await read(base_url, stream=True)

    assert got.error is None
    assert len(got.events) == WHOLE
    with pytest.raises(ValueError, match="Unterminated"):
        json.loads(got.events[2].removeprefix(b"data: "))
    json.loads(got.events[3].removeprefix(b"data: "))


async def test_a_plain_body_is_no_json() -> None:
    """It is complete as HTTP, and half as JSON."""
    async with faults.serve(faults.bad_json_at(0)) as base_url:
        got = await read(base_url)

    assert got.error is None
    with pytest.raises(ValueError, match=r".+"):
        json.loads(got.body)


async def test_an_error_comes_as_an_event() -> None:
    """After so many good ones, as the last; a plain request gets it as a status."""
    async with faults.serve(faults.error_event_after(2)) as base_url:
        streamed, plain = await read(base_url, stream=True), await read(base_url)

    assert len(streamed.events) == 3
    assert "error" in json.loads(streamed.events[2].removeprefix(b"data: "))
    assert plain.status == 500


async def test_a_stream_ends_without_its_last_event() -> None:
    """Properly, as far as HTTP goes."""
    async with faults.serve(faults.no_done()) as base_url:
        got = await read(base_url, stream=True)

    assert got.error is None
    assert len(got.events) == WHOLE - 1
    assert b"[DONE]" not in got.body


async def test_a_slow_provider_is_only_slow() -> None:
    """Everything comes."""
    async with faults.serve(faults.slow(0.001)) as base_url:
        got = await read(base_url, stream=True)

    assert len(got.events) == WHOLE


async def test_a_huge_body_is_as_large_as_it_says() -> None:
    """And JSON all the same."""
    async with faults.serve(faults.huge_body(2)) as base_url:
        got = await read(base_url)

    assert len(got.body) == 2 * 1024**2
    json.loads(got.body)


async def test_fewer_bytes_come_than_were_promised() -> None:
    """The head lies, and the connection ends."""
    async with faults.serve(faults.wrong_content_length()) as base_url:
        got = await read(base_url)

    assert isinstance(got.error, httpx.RemoteProtocolError)
    assert 0 < len(got.body) < int(got.headers["content-length"])


async def test_an_address_has_no_place_in_a_sequence() -> None:
    """It cannot be refused first and reached then: that is said, not guessed."""
    for wrong in ((), (faults.connect_refused(), faults.fine())):
        with pytest.raises(ValueError, match="single unreachable address"):
            async with faults.serve(*wrong):
                pass


async def test_faults_are_scripts_of_the_mock_provider_too() -> None:
    """Which then shows what it was asked."""
    async with mock_provider() as provider:
        provider.script(faults.status(503))
        statuses = [(await read(provider.base_url)).status for _ in range(2)]
        with pytest.raises(TypeError, match="connect_refused"):
            provider.script(faults.connect_refused())  # type: ignore[arg-type]

    assert statuses == [503, 200]
    assert [request.json["model"] for request in provider.requests] == ["m", "m"]


UPSTREAM = """\
version: v0.4.0
model_providers:
  - {model: openai/main, access_key: key, base_url: $URL, default: true}
filters:
  - alias
  - upstream: {attempts: 1, connect_timeout: 2s, first_byte_timeout: 300ms, idle_timeout: 300ms}
"""


@pytest.mark.parametrize("fault", faults.ZOO, ids=str)
async def test_the_gateway_survives_the_whole_zoo(fault: faults.Fault | faults.Unreachable) -> None:
    """Whatever the provider does, a stream ends as a whole or with an error, and never hangs."""
    async with (
        faults.serve(fault) as base_url,
        chain(UPSTREAM, env={"URL": base_url}) as running,
        asyncio.timeout(20),
    ):
        answer = await running.chat(stream=True)
        again = await running.chat()

    whole = b"[DONE]" in answer.body or b'"finish_reason":"stop"' in answer.body
    assert whole != (b'"error"' in answer.body)
    assert again.status is not None
