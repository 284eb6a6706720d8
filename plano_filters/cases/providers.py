"""The providers of a case: in this process, by script, and reachable by their URLs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

import httpx

from plano_filters import endpoints
from plano_filters.config import Document, ModelProvider
from plano_filters.config.cases import ProviderAnswer
from plano_filters.dialect import Dialect
from plano_filters.mock import MockProvider
from plano_filters.providers import canonical

_CONVERSE: Final = re.compile(rb"/model/([^/?]+)/converse(?:-stream)?(?:\?|$)")


class ScriptedProviders(httpx.AsyncBaseTransport):
    """Answers for every declared provider as the mock does, or as the script of a case says.

    Whatever else is asked, such as a catalog of prices, is refused a connection: cases run without
    a network.

    Args:
        document: Whose providers are played.
    """

    def __init__(self, document: Document) -> None:
        self._entries = document.model_providers
        self._mock = MockProvider()
        self._script: Mapping[str, Sequence[ProviderAnswer]] = {}
        self._tries: Counter[str] = Counter()

    def play(self, script: Mapping[str, Sequence[ProviderAnswer]]) -> None:
        """Begin a case."""
        self._script = script
        self._tries.clear()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = self._asked(request, await request.aread())
        if asked is None:
            raise httpx.ConnectError(f"there is no network: {request.url.host}", request=request)
        model, dialect = asked
        self._tries[model] += 1
        answers = self._script.get(model, (ProviderAnswer(),))
        answer = answers[min(self._tries[model], len(answers)) - 1]
        if answer.fails == "timeout":
            raise httpx.ReadTimeout("the case says so", request=request)
        if answer.fails == "connect":
            raise httpx.ConnectError("the case says so", request=request)
        if dialect is None:
            return _converse(request.url, answer)
        headers = [(n, v) for n, v in request.headers.raw if not n.lower().startswith(b"x-mock-")]
        headers += [(b"x-mock-status", b"%d" % answer.status), (b"x-mock-delay-ms", b"0")]
        if answer.retry_after is not None:
            headers.append((b"x-mock-retry-after", f"{answer.retry_after:g}".encode()))
        url = httpx.URL(f"http://mock/v1{endpoints.PATHS[dialect]}")  # where the mock has it
        scripted = httpx.Request(request.method, url, headers=headers, content=request.content)
        return await self._mock.handle_async_request(scripted)

    def _asked(self, request: httpx.Request, body: bytes) -> tuple[str, Dialect | None] | None:
        """Return the full name of the model that is asked, and how; None if it is none.

        Of a model that is asked by Converse the URL has the name, and the dialect is None.
        """
        for entry in self._entries:
            model_id = _by_converse(entry, request.url)
            if model_id is not None:
                return f"{entry.provider}/{model_id}", None
        try:
            payload: Any = json.loads(body)
        except ValueError:
            return None
        model_id = payload.get("model") if isinstance(payload, dict) else None
        if not isinstance(model_id, str):
            return None
        url = request.url.copy_with(query=None)
        for entry in sorted(self._entries, key=lambda one: one.wildcard):
            dialect = _dialect(entry, model_id, url)
            if dialect is not None:
                return f"{entry.provider}/{model_id}", dialect
        return None


def _by_converse(entry: ModelProvider, asked: httpx.URL) -> str | None:
    """Return the id of the model of an entry that a URL asks for by Converse; None if none."""
    found = _CONVERSE.search(asked.raw_path)
    if found is None:
        return None
    model_id = unquote(found[1].decode())
    if not endpoints.by_converse(entry, model_id) or (
        not entry.wildcard and entry.model_id != model_id
    ):
        return None
    url = httpx.URL(endpoints.url(entry, "messages", model_id))
    same = url.host == asked.host and url.port == asked.port
    return model_id if same and asked.raw_path.startswith(url.raw_path) else None


def _converse(asked: httpx.URL, answer: ProviderAnswer) -> httpx.Response:
    """Answer as Converse does; only whole answers are played."""
    headers = {} if answer.retry_after is None else {"retry-after": f"{answer.retry_after:g}"}
    if answer.status >= 300:
        told = {"message": f"the case says {answer.status}"}
        return httpx.Response(answer.status, json=told, headers=headers)
    if asked.path.endswith("-stream"):
        told = {"message": "a stream of Converse cannot be played; ask for a whole answer"}
        return httpx.Response(400, json=told)  # no other model is to answer instead
    message = {"role": "assistant", "content": [{"text": "Hello from a played provider"}]}
    usage = {"inputTokens": 1, "outputTokens": 5, "totalTokens": 6}
    whole = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage}
    return httpx.Response(200, json=whole)


def _dialect(entry: ModelProvider, model_id: str, asked: httpx.URL) -> Dialect | None:
    """Return the dialect in which a URL asks an entry for a model; None if it does not."""
    if not entry.wildcard and entry.model_id != model_id:
        return None
    for dialect in endpoints.PATHS:
        url = httpx.URL(endpoints.url(entry, dialect, model_id)).copy_with(query=None)
        if url == asked:
            return dialect
    return None


def is_mock(model: str) -> bool:
    """Say whether a model is the mock's, which takes its script from the client's headers."""
    return canonical(model.partition("/")[0]) == "mock"
