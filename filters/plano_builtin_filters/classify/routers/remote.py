"""A router model behind an OpenAI-compatible endpoint: vLLM, Ollama, a hosted one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import httpx
import orjson

from plano_builtin_filters.classify.routers import replies
from plano_builtin_filters.classify.routers.prompts import Template
from plano_builtin_filters.classify.routers.protocol import (
    OTHER,
    Question,
    RouteOption,
    RouterFailed,
    Scores,
    Turn,
)
from plano_builtin_filters.classify.routers.selection import estimate, fit
from plano_filters.filter import TransportFactory

LARGEST: Final = 256 * 1024
"""Bytes of an answer; a route's name with all its probabilities takes a few thousand."""
FEWEST_TOKENS: Final = 64
"""Of a reply. More than one with the longest name needs, so that a chatty model reaches it."""
CLOSE_SECONDS: Final = 1.0
"""For closing a connection that nobody reads to its end; then it is dropped."""


class RemoteRouter:
    """Asks a router model over HTTP, with one user message per question and no second try.

    Args:
        base_url: Where the endpoint is. A path in it stands in front of `/chat/completions`; none
            means `/v1`. A query is kept.
        model: The id that the endpoint knows the model by.
        template: The prompt of the model's family.
        transport: Returns the HTTP transport; called when the lifespan begins.
        deadline: Seconds for a whole call, from the connection to the last byte.
        api_key: Sent as a Bearer token, if there is one.
        headers: Sent with each call; they override ours.
        structured: Whether to ask for JSON of a schema in which only the routes' names are legal.
            Not every endpoint knows it.
        logprobs: Whether to ask for the probabilities of the tokens. With them an answer has a
            confidence; see `replies.probability`. Not every endpoint knows it.
        context: Tokens of prompt, as `estimate` counts them; the family's own unless given.
        max_tokens: Tokens of a reply; enough for the longest name unless given. A model that
            thinks first needs more.

    Raises:
        ValueError: The address is none, or a header has a line break in it.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        template: Template,
        transport: TransportFactory,
        *,
        deadline: float,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        structured: bool = False,
        logprobs: bool = False,
        context: int | None = None,
        max_tokens: int | None = None,
    ) -> None:
        self._url, self._where = endpoint(base_url)
        self._model = model
        self._template = template
        self._factory = transport
        self._deadline = deadline
        self._headers = _headers(api_key, headers or {})
        self._structured = structured
        self._logprobs = logprobs
        self._context = context or template.context
        self._max_tokens = max_tokens
        self._transport: httpx.AsyncBaseTransport | None = None

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        self._transport = self._factory()
        yield

    async def prepare(self, routes: tuple[RouteOption, ...]) -> None:
        """Do nothing: the model is loaded elsewhere, and asking it early may cost money."""

    async def route(self, question: Question) -> Scores:
        if self._transport is None:
            raise RuntimeError("the lifespan of this router was not entered")
        body = orjson.dumps(self._body(question))
        request = httpx.Request("POST", self._url, headers=self._headers, content=body)
        deadline = asyncio.timeout(self._deadline)
        try:
            async with deadline:
                document = await _ask(self._transport, request)
        except TimeoutError:
            if deadline.expired():
                does = f"gave no answer within {self._deadline:g} s"
                raise RouterFailed("deadline", f"the endpoint {does}") from None
            raise RouterFailed("unavailable", "the endpoint timed out") from None
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            # Its text may hold the address; its name is httpx's, and often not what happened.
            happened = type(error.__cause__ or error).__name__
            detail = f"the endpoint cannot be reached: {happened}"
            raise RouterFailed("unavailable", detail) from None
        return replies.scores(document, question, self._template)

    def describe(self) -> str:
        return f"remote ({self._model} at {self._where}, {self._template.name})"

    def _body(self, question: Question) -> dict[str, object]:
        """Write the request.

        Raises:
            RouterFailed: "error": there is no room for a conversation beside the routes.
        """
        template = self._template
        body: dict[str, object] = {
            "model": self._model,
            "messages": [{"role": "user", "content": self._prompt(question)}],
            "temperature": 0,
            "max_tokens": self._max_tokens or _enough(template, question.names),
            "stream": False,
        }
        if self._structured:
            body["response_format"] = response_format(template, question.names)
        if self._logprobs:
            body["logprobs"] = True
        return body

    def _prompt(self, question: Question) -> str:
        template = self._template

        def cost(text: str) -> int:  # as it is written; the longer role, whoever speaks
            return estimate(template.conversation((Turn("assistant", text),)))

        fixed = template.prompt((), question.routes)
        turns = fit(question.turns, self._context - estimate(fixed.text), cost)
        if not turns:
            detail = f"the routes leave no room for a conversation in {self._context} tokens"
            raise RouterFailed("error", detail)
        return _sendable(template.prompt(turns, question.routes).text)


def endpoint(base_url: str) -> tuple[httpx.URL, str]:
    """Return where the questions go, and the host as it may be shown: without credentials.

    Raises:
        ValueError: It is no address of an HTTP server. The address is not repeated.
    """
    try:
        parts = urlsplit(base_url)
        prefix = parts.path.rstrip("/") or "/v1"
        query = f"?{parts.query}" if parts.query else ""
        url = httpx.URL(f"{parts.scheme}://{parts.netloc}{prefix}/chat/completions{query}")
    except (ValueError, httpx.InvalidURL):
        raise ValueError("base_url is no URL") from None
    if url.userinfo:
        raise ValueError("base_url must not have credentials in it")
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("base_url must begin with http:// or https:// and have a host")
    return url, f"{url.scheme}://{url.netloc.decode('ascii')}"


def response_format(template: Template, names: Sequence[str]) -> dict[str, object]:
    """Return the JSON schema of a family's legal replies, as OpenAI and vLLM take it."""
    legal = [_sendable(name) for name in names]
    if template.name == "plano-orchestrator":
        route: dict[str, object] = {
            "type": "array",
            "items": {"type": "string", "enum": legal},
        }
    else:
        route = {"type": "string", "enum": list(dict.fromkeys([*legal, OTHER]))}
    schema = {
        "type": "object",
        "properties": {"route": route},
        "required": ["route"],
        "additionalProperties": False,
    }
    named = {"name": "route", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": named}


async def _ask(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> object:
    """Send a request and return the document of its answer.

    Raises:
        RouterFailed: It is no good answer.
    """
    response = await transport.handle_async_request(request)
    try:
        status = response.status_code
        if not 200 <= status < 300:
            kind = ", a redirect" if 300 <= status < 400 else ""
            raise RouterFailed("unavailable", f"the endpoint answered {status}{kind}")
        body = bytearray()
        async for chunk in _stream(response):
            body += chunk
            if len(body) > LARGEST:
                raise RouterFailed("reply", f"the endpoint sent more than {LARGEST // 1024} KiB")
    finally:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await _stream(response).aclose()
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RouterFailed("reply", "the endpoint's answer is no JSON") from None


def _stream(response: httpx.Response) -> httpx.AsyncByteStream:
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("the transport gave a synchronous body")
    return response.stream


def _headers(api_key: str | None, given: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    ours = {
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
    }
    if api_key:
        ours["authorization"] = f"Bearer {api_key}"
    ours |= {name.lower(): value for name, value in given.items()}
    for name, value in ours.items():
        if not {"\r", "\n", "\0"}.isdisjoint(name + value):
            raise ValueError(f"the header {name!r} has a line break in it")
    return [(name.encode("latin-1"), value.encode()) for name, value in ours.items()]


def _enough(template: Template, names: Sequence[str]) -> int:
    """Return a number of tokens in which every legal reply ends: no token has less than a byte."""
    longest = max(len(_sendable(template.reply(name)).encode()) for name in names)
    return max(FEWEST_TOKENS, longest)


def _sendable(text: str) -> str:
    """Replace what UTF-8 cannot write: a client may send half a surrogate pair."""
    return text.encode("utf-8", "replace").decode()
