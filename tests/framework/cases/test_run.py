"""Cases of a document: the real chain, played providers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from plano_filters.cases.coverage import Coverage
from plano_filters.cases.results import Result
from plano_filters.cases.run import CaseClock, body_of, run_cases
from plano_filters.config import load, load_text
from plano_filters.config.cases import Send
from plano_filters.errors import ConfigError

KEYS = {"KEY": "sk-1234567890", "OTHER_KEY": "sk-0987654321"}
DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers:
  - {model: openai/main, access_key: $KEY, default: true}
  - {model: anthropic/claude, access_key: $OTHER_KEY}
  - {model: "groq/*", access_key: $KEY}
model_aliases: {fast: {target: main}}
filters:
  - alias: {fallback: [default]}
  - affinity
  - upstream
tests:
"""


async def outcome(*cases: dict[str, Any], document: str = DOCUMENT) -> list[Result]:
    rows = [{"name": f"case {number}", **case} for number, case in enumerate(cases)]
    text = document + "".join(f"  - {json.dumps(row)}\n" for row in rows)
    loaded = load_text(text, name="plano.yaml", env=KEYS)
    loaded.report.raise_errors()
    results, _ = await run_cases(loaded)
    return results


async def failures(*cases: dict[str, Any], document: str = DOCUMENT) -> list[str]:
    return [text for result in await outcome(*cases, document=document) for text in result.failures]


async def test_remote_filters_let_everything_pass() -> None:
    """They are services, and there is no network."""
    defined = "  - {id: guard, url: http://127.0.0.1:1}\n  - remote: {filter: guard}\n  - upstream"
    document = DOCUMENT.replace("  - upstream", defined)

    assert await failures({"send": "Hello", "expect": {"status": 200}}, document=document) == []


@pytest.mark.parametrize(
    "case",
    [
        {"send": "Hello", "expect": {"status": 200, "model": "openai/main", "attempts": 1}},
        {"send": {"text": "Hello", "model": "fast"}, "expect": {"model": "openai/main"}},
        {"send": {"text": "Hi", "model": "claude"}, "expect": {"model": "anthropic/claude"}},
        {"send": {"text": "Hi", "model": "groq/any"}, "expect": {"model": "groq/any"}},
        {
            "send": {"text": "Hi", "model": "claude", "path": "/v1/messages", "stream": True},
            "expect": {"status": 200, "headers": {"content-type": "text/event-stream"}},
        },
        {
            "send": {"text": "Hi", "path": "/v1/responses"},
            "expect": {"status": 200, "route": None, "headers": {"x-plano-route": None}},
        },
        {
            "send": {"body": {"model": "nobody", "messages": []}},
            "expect": {"status": 404, "error": "model_not_found", "model": None, "attempts": 0},
        },
        {
            "send": {"text": "Hi", "model": "nobody", "path": "/v1/messages"},
            "expect": {"status": 404, "error": "model_not_found"},
        },
    ],
)
async def test_what_is_expected_passes(case: dict[str, Any]) -> None:
    """In each dialect, plain and streamed, served and refused."""
    assert await failures(case) == []


async def test_providers_do_what_the_case_says() -> None:
    """One answer a try, the last repeated; the other models answer."""
    failing = {"openai/main": [{"status": 429, "retry_after": 1}, "timeout"]}
    down = {"openai/main": "connect", "anthropic/claude": 503}
    asked = {"text": "Hi", "model": "claude"}
    alone = {"text": "Hi", "model": "fast", "headers": {"x-plano-fallback": "off"}}

    results = await outcome(
        {"send": asked, "providers": {"anthropic/claude": [503, 200]}, "expect": {"attempts": 2}},
        {
            "send": asked,
            "providers": {"anthropic/claude": "timeout"},
            "expect": {
                "model": "openai/main",
                "attempts": 3,
                "headers": {"x-plano-fallback-from": "anthropic/claude"},
                "decided": ["fallback to openai/main"],
            },
        },
        {"send": alone, "providers": failing, "expect": {"status": 504, "attempts": 2}},
        {"send": asked, "providers": down, "expect": {"status": 502, "model": None}},
    )

    assert [result.failures for result in results] == [()] * 4


async def test_a_difference_is_a_sentence() -> None:
    """Each says what was expected and what came; the decisions are there for the why."""
    (result,) = await outcome(
        {
            "send": "Hello",
            "expect": {
                "status": 503,
                "route": "code",
                "model": "anthropic/claude",
                "attempts": 2,
                "error": "unavailable",
                "headers": {"x-plano-model": None, "x-nothing": "there"},
                "decided": ["never said"],
            },
        }
    )

    assert result.failures == (
        "status: expected 503, got 200",
        'route: expected "code", got none',
        'model: expected "anthropic/claude", got "openai/main"',
        "attempts: expected 2, got 1",
        'error: expected "unavailable", got none',
        'header x-plano-model: expected none, got "openai/main"',
        'header x-nothing: expected "there", got none',
        'decided: no decision contains "never said"',
    )
    assert "upstream: served by openai/main" in result.decisions
    assert result.place == "plano.yaml:13"


async def test_cases_share_one_chain() -> None:
    """A later case meets the session of an earlier one, in memory whatever the document says."""
    redis = "routing: {session_cache: {type: redis, url: redis://127.0.0.1:1}}\ntests:\n"
    session = {"x-model-affinity": "s"}
    first = {"text": "Hi", "model": "claude", "headers": session}
    later = {"text": "Hi", "model": "fast", "headers": session}

    assert (
        await failures(
            {"send": first, "expect": {"model": "anthropic/claude"}},
            {"send": later, "expect": {"model": "anthropic/claude", "decided": ["held to"]}},
            document=DOCUMENT.replace("tests:\n", redis),
        )
        == []
    )


async def test_nothing_is_reached_but_declared_providers() -> None:
    """A catalog of prices is not fetched: cases run without a network."""
    source = "model_metrics_sources: [{type: cost, provider: models.dev}]\ntests:\n"
    chain = "  - {use: rerank, config: {}}\n  - upstream\n"
    document = DOCUMENT.replace("tests:\n", source).replace("  - upstream\n", chain)

    assert await failures({"send": "Hello", "expect": {"status": 200}}, document=document) == []


@pytest.mark.parametrize(
    ("providers", "says"),
    [
        ({"openai/none": 200}, 'the model "openai/none" is not declared'),
        ({"mock/fast": 503}, "played by the mock provider itself"),
    ],
)
async def test_a_script_for_nobody_is_an_error(providers: dict[str, Any], says: str) -> None:
    """It would never be played, and the case would pass for the wrong reason."""
    with pytest.raises(ConfigError, match=says):
        await outcome({"send": "Hi", "providers": providers, "expect": {}})


async def test_waits_take_no_time_within_a_case_only() -> None:
    """What runs beside the cases would otherwise never rest."""
    clock, outside = CaseClock(), asyncio.Event()

    async def refresh() -> None:
        await clock.sleep(3600)
        outside.set()

    beside = asyncio.create_task(refresh())
    await asyncio.sleep(0)
    before = clock.now()

    assert not outside.is_set()
    assert clock.now() - before < 3600
    beside.cancel()


@pytest.mark.parametrize(
    ("send", "body"),
    [
        ({"text": "Hi"}, {"messages": [{"role": "user", "content": "Hi"}]}),
        ({"text": "Hi", "path": "/v1/responses", "model": "m"}, {"model": "m", "input": "Hi"}),
        ({"text": "Hi", "path": "/v1/embeddings"}, {"input": "Hi"}),
        (
            {"text": "Hi", "path": "/v1/messages", "stream": True},
            {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 256, "stream": True},
        ),
        ({"body": {"any": 1}}, {"any": 1}),
    ],
)
def test_a_text_becomes_a_body_of_its_path(send: dict[str, Any], body: dict[str, Any]) -> None:
    """In the dialect of the path; a body is sent as it is."""
    assert body_of(Send.model_validate(send)) == body


def test_coverage_names_what_was_not_touched() -> None:
    """Wildcards are no models of the document, and unknown names are nothing of it."""
    text = DOCUMENT + "- {name: a, send: b, expect: {}}\n"
    coverage = Coverage.of(load_text(text, env=KEYS).document)

    coverage.touch(route="x", requested="fast", served="openai/main", instead_of=None)

    assert list(coverage.lines()) == [
        "aliases    1 of 1",
        "models     1 of 2; not: anthropic/claude",
        "fallbacks  0 of 2; not: openai/main, anthropic/claude",
    ]
    assert coverage.to_dict()["models"] == {
        "touched": ["openai/main"],
        "missed": ["anthropic/claude"],
    }


def test_cases_are_located_and_checked_like_all_else(tmp_path: Path) -> None:
    """A misspelt expectation must not pass by not being looked at."""
    path = tmp_path / "plano.yaml"
    path.write_text(DOCUMENT + "  - {name: a, send: b, expect: {stauts: 1}}\n")

    with pytest.raises(ConfigError, match='did you mean "status"') as raised:
        load(path, env=KEYS).report.raise_errors()

    assert "plano.yaml:13:" in str(raised.value)


async def test_a_model_behind_converse_is_played() -> None:
    """It answers whole and fails as the case says; a stream of it is a clear error."""
    model = "amazon_bedrock/us.anthropic.claude-x-v1:0"
    entry = f"model_providers:\n  - {{model: '{model}', base_url: http://b, access_key: k}}\n"
    document = DOCUMENT.replace("model_providers:\n", entry)
    asked = {"text": "Hi", "model": model}
    failing = {"providers": {model: [{"status": 400}]}}
    cases: list[dict[str, Any]] = [
        {"send": asked, "expect": {"status": 200, "model": model}},
        {"send": {**asked, "path": "/v1/messages"}, "expect": {"status": 200}},
        {"send": asked, **failing, "expect": {"status": 400}},
        {"send": {**asked, "stream": True}, "expect": {"status": 400}},
    ]

    assert await failures(*cases, document=document) == []
