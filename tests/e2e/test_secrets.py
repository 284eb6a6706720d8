"""Keys and prompts stay where they belong: every byte that left the gateway is searched."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.e2e.conftest import BACKUP_KEY, CLIENT_KEY, MAIN_KEY, Stand
from tests.support import behaviours
from tests.support.answers import error_document

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROMPT = "a-prompt-nobody-else-may-read"
HELLO: list[Any] = [{"role": "user", "content": PROMPT}]


async def test_the_clients_credential_never_reaches_a_provider(stand: Stand) -> None:
    """Whatever header it came in; each provider gets its own key and nobody else's."""
    stand.main.default = behaviours.status(500)
    await stand.http.post(
        "/v1/chat/completions",
        json={"model": "main", "messages": HELLO},
        headers={
            "authorization": f"Bearer {CLIENT_KEY}",
            "x-api-key": CLIENT_KEY,
            "api-key": CLIENT_KEY,
            "cookie": f"session={CLIENT_KEY}",
            "proxy-authorization": f"Basic {CLIENT_KEY}",
        },
    )

    main, backup = stand.main.requests[0], stand.backup.requests[0]
    assert main.headers["authorization"] == f"Bearer {MAIN_KEY}"
    assert backup.headers["authorization"] == f"Bearer {BACKUP_KEY}"
    assert MAIN_KEY.encode() not in backup.head + backup.body
    assert CLIENT_KEY.encode() not in bytes(stand.main.wire) + bytes(stand.backup.wire)


async def test_a_providers_key_never_reaches_the_client(stand: Stand) -> None:
    """Providers quote keys in their errors; the quote is masked."""
    document = error_document(401)
    document["error"]["message"] = f"Incorrect API key provided: {MAIN_KEY}"
    stand.main.script(behaviours.json(document, 401))

    with pytest.raises(openai.AuthenticationError) as raised:
        await stand.sdk.chat.completions.create(model="main", messages=HELLO)

    answer = raised.value.response
    assert MAIN_KEY not in answer.text + str(answer.headers)
    assert "Incorrect API key provided: ***" in answer.text


async def test_cookies_of_a_provider_do_not_reach_the_client(stand: Stand) -> None:
    """One client's session with a provider's front must not become another's."""
    stand.main.script(behaviours.answer(200, b"{}", {"set-cookie": "__cf_bm=1"}))
    answer = await stand.http.post("/v1/chat/completions", json={"model": "main"})
    await stand.http.post("/v1/chat/completions", json={"model": "main"})

    assert "set-cookie" not in answer.headers
    assert "cookie" not in stand.main.requests[1].headers


async def test_hop_by_hop_headers_stay_on_their_hop(stand: Stand) -> None:
    """What `Connection` names, and what is of one connection only, goes no further."""
    headers = {"connection": "keep-alive, x-hop", "x-hop": "1", "te": "trailers", "x-end": "2"}
    down = {"connection": "x-down", "x-down": "1", "keep-alive": "timeout=5", "x-up": "2"}
    stand.main.script(behaviours.answer(200, b"{}", down))
    answer = await stand.http.post("/v1/chat/completions", json={"model": "main"}, headers=headers)

    received = stand.main.requests[0].headers
    assert not {"x-hop", "te"} & set(received)
    assert received["x-end"] == "2"
    assert not {"x-down", "keep-alive"} & set(answer.headers)
    assert answer.headers["x-up"] == "2"


async def test_a_client_cannot_choose_where_a_request_goes(stand: Stand) -> None:
    """Fields and headers that other gateways obey are data here."""
    body = {"model": "main", "api_base": stand.backup.url, "base_url": stand.backup.url}
    headers = {"x-forwarded-host": "evil.example", "x-plano-model": "groq/backup"}
    await stand.http.post("/v1/chat/completions", json=body, headers=headers)

    received = stand.main.requests[0]
    assert stand.backup.requests == []
    assert received.headers["host"] == f"127.0.0.1:{stand.main.port}"
    assert not {"x-forwarded-host", "x-plano-model"} & set(received.headers)


async def test_log_metrics_and_config_hold_no_secret(stand: Stand) -> None:
    """After requests that worked and requests that failed, nothing secret is written anywhere."""
    await stand.sdk.chat.completions.create(model="main", messages=HELLO)
    stand.main.default = stand.backup.default = behaviours.status(401)
    with pytest.raises(openai.AuthenticationError):
        await stand.sdk.chat.completions.create(
            model="main", messages=HELLO, extra_headers={"x-request-id": "the-last-one"}
        )
    await stand.gateway.line_with("the-last-one")

    admin = stand.gateway.admin_url
    pages = [(await stand.http.get(f"{admin}{path}")).text for path in ("/metrics", "/-/config")]
    written = "\n".join([*pages, *stand.gateway.stdout, *stand.gateway.stderr])
    for secret in (MAIN_KEY, BACKUP_KEY, CLIENT_KEY, PROMPT):
        assert secret not in written
