"""What `alias` does to an exchange."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plano_builtin_filters.alias import Alias, AliasConfig
from plano_filters import Candidates, Response, load_text
from plano_filters.exchange import Exchange
from plano_filters.testing import exercise, make_context, make_exchange

TEXT = """
version: v0.4.0
listeners: [{name: m, type: model}]
model_providers:
  - {model: openai/gpt-4o, access_key: sk-aaaaaaaa}
  - {model: mistral/small, access_key: sk-aaaaaaaa, default: true}
  - {model: "groq/*", access_key: sk-aaaaaaaa}
model_aliases: {fast: {target: gpt-4o}}
"""
ONLY_WILD = """
version: v0.4.0
listeners: [{name: m, type: model}]
model_providers: [{model: "groq/*", access_key: sk-aaaaaaaa}]
"""


async def run(exchange: Exchange, text: str = TEXT, **config: Any) -> Response:
    document = load_text(text, env={}).document
    return await exercise(Alias(AliasConfig(**config), make_context(document)), exchange)


def body_of(response: Response) -> Any:
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


async def test_a_named_model_comes_first_and_its_fallbacks_follow() -> None:
    """The decision says what the name meant."""
    exchange = make_exchange({"model": "fast"})

    await run(exchange)

    assert exchange.state[Candidates].models == ("openai/gpt-4o", "mistral/small")
    assert exchange.state[Candidates].explicit
    assert [d.text for d in exchange.decisions] == ["fast -> openai/gpt-4o"]


@pytest.mark.parametrize(
    "body", [{}, {"model": ""}, {"model": None}, {"model": "auto"}, {"model": "router"}]
)
async def test_no_model_means_the_default(body: dict[str, object]) -> None:
    """Absent, empty, `auto` and `router` leave the choice to the gateway."""
    exchange = make_exchange(body)

    await run(exchange)

    found = exchange.state[Candidates]
    assert (found.models, found.explicit) == (("mistral/small", "openai/gpt-4o"), False)


async def test_fallback_can_be_switched_off() -> None:
    """By the document for all, by a header for one request."""
    by_config, by_header = (
        make_exchange({"model": "fast"}),
        make_exchange({"model": "fast"}, headers={"x-plano-fallback": "off"}),
    )

    await run(by_config, fallback=())
    await run(by_header)

    assert by_config.state[Candidates].models == ("openai/gpt-4o",)
    assert by_header.state[Candidates].models == ("openai/gpt-4o",)


async def test_what_cannot_serve_is_left_out_and_said() -> None:
    """A fallback that does not speak the dialect is no candidate."""
    exchange = make_exchange({"model": "fast"})

    await run(exchange, TEXT.replace("mistral/small", "chatgpt/codex"))

    assert exchange.state[Candidates].models == ("openai/gpt-4o",)
    assert exchange.decisions[-1].text == "left out, no chat there: chatgpt/codex"


async def test_an_endless_name_is_not_repeated() -> None:
    """Not in the answer, and not in the log."""
    response = await run(make_exchange({"model": "groq/" + "x" * 100_000}))

    assert response.status == 404
    assert isinstance(response.body, bytes)
    assert len(response.body) < 1000


async def test_an_unknown_model_is_404_with_a_suggestion() -> None:
    """In the caller's dialect, with the parameter named."""
    response = await run(make_exchange({"model": "gpt-4oo"}))

    error = body_of(response)["error"]
    assert response.status == 404
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert 'did you mean "gpt-4o"' in error["message"]


@pytest.mark.parametrize("model", [3, ["a"], {"a": 1}, True])
async def test_a_model_that_is_no_string_is_400(model: object) -> None:
    """The error names the field."""
    response = await run(make_exchange({"model": model}))

    assert (response.status, body_of(response)["error"]["param"]) == (400, "model")


async def test_no_model_and_no_default_is_400() -> None:
    """A gateway of wildcards cannot choose."""
    response = await run(make_exchange({}), ONLY_WILD)

    assert response.status == 400
    assert "name a model" in body_of(response)["error"]["message"]


async def test_a_model_that_does_not_speak_the_dialect_is_400() -> None:
    """The error says what it speaks."""
    text = TEXT.replace("mistral/small", "anthropic/claude")
    response = await run(make_exchange({"model": "claude"}, path="/v1/embeddings"), text)

    assert response.status == 400
    assert "does not speak embeddings" in body_of(response)["error"]["message"]


async def test_models_are_listed() -> None:
    """Declared models, what is known of wildcards, and the aliases."""
    response = await run(make_exchange(path="/v1/models", method="GET"))

    listing = body_of(response)
    ids = [model["id"] for model in listing["data"]]
    assert listing["object"] == "list"
    assert ids[:2] == ["openai/gpt-4o", "mistral/small"]
    assert any(name.startswith("groq/") for name in ids)
    assert ids[-1] == "fast"
    assert listing["data"][0] == {
        "id": "openai/gpt-4o", "object": "model", "created": 0, "owned_by": "openai",
    }  # fmt: skip


async def test_models_are_listed_for_anthropic_clients_in_their_form() -> None:
    """The header says who asks."""
    headers = {"anthropic-version": "2023-06-01"}
    response = await run(make_exchange(path="/v1/models", method="GET", headers=headers))

    listing = body_of(response)
    assert listing["has_more"] is False
    assert listing["first_id"] == "openai/gpt-4o"
    assert listing["data"][0] == {
        "type": "model",
        "id": "openai/gpt-4o",
        "display_name": "openai/gpt-4o",
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active",
    }


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/models/openai/gpt-4o", 200),
        ("/v1/models/openai%2Fgpt-4o", 200),
        ("/v1/models/fast", 200),
        ("/v1/models/groq/anything", 200),
        ("/v1/models/nothing", 404),
        ("/v1/models/", 404),
    ],
)
async def test_one_model_is_described(path: str, status: int) -> None:
    """Ids hold slashes, raw or escaped."""
    response = await run(make_exchange(path=path, method="GET"))

    assert response.status == status


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"model": "my own"}, TEXT),  # not declared
        ({"model": "x" * 300}, TEXT),
        ({}, ONLY_WILD),  # no default
    ],
)
async def test_a_decision_may_name_any_model(body: dict[str, object], text: str) -> None:
    """Whoever only asks which model to take may have models of its own: there is no 404."""
    exchange = make_exchange(body, path="/routing/v1/chat/completions")

    assert (await run(exchange, text)).status == 200

    found = exchange.state[Candidates]
    assert found.models == ()
    assert found.requested == str(body.get("model", ""))[:256]
    assert found.explicit == ("model" in body)
    assert exchange.decisions[0].text.startswith("only a route or a pin can name a model: ")


async def test_a_decision_about_a_declared_model_has_its_candidates() -> None:
    """What the gateway knows is resolved as always."""
    exchange = make_exchange({"model": "fast"}, path="/routing/v1/chat/completions")

    await run(exchange)

    assert exchange.state[Candidates].models == ("openai/gpt-4o", "mistral/small")


async def test_a_decision_needs_a_model_that_is_a_text() -> None:
    """A number is no name of anybody's."""
    response = await run(make_exchange({"model": 5}, path="/routing/v1/chat/completions"))

    assert response.status == 400
