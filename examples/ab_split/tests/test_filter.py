"""The split in a chain."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from plano_filters import Candidates, ConfigError, Document, Exchange, Pin, Principal, load_text
from plano_filters.testing import chain, conformance, exercise, make_context, make_exchange
from plano_filters_ab_split import AbSplit, AbSplitConfig, Assignment

DOCUMENT = """\
version: v0.4.0
model_providers: [{model: mock/fast, default: true}, {model: mock/smart}, {model: openai/*}]
model_aliases: {assistant: {target: mock/fast}}
"""
ARMS = [
    {"name": "control", "model": "mock/fast", "weight": 1},
    {"name": "smart", "model": "mock/smart", "weight": 1},
]
NO_DELAY = {"x-mock-delay-ms": "0"}


def config(**options: Any) -> dict[str, Any]:
    """Return a config with one experiment."""
    filter_options = {"respect_explicit": options.pop("respect_explicit", False)}
    return {"experiments": [{"name": "exp", "arms": ARMS, **options}], **filter_options}


def document(**options: Any) -> str:
    """Return a document whose chain has the filter."""
    return DOCUMENT + f"filters: [alias, ab_split: {json.dumps(config(**options))}, upstream]\n"


def declared() -> Document:
    """Return the models as a document."""
    return load_text(DOCUMENT, name="test", env={}).document


async def assigned(
    body: dict[str, Any] | None = None,
    *facts: object,
    headers: dict[str, str] | None = None,
    path: str = "/v1/chat/completions",
    **options: Any,
) -> tuple[Assignment | None, Exchange]:
    """Return what one request was given."""
    given = {type(fact) for fact in facts}
    extra = [] if Candidates in given else [Candidates(("mock/fast",), "assistant", explicit=True)]
    exchange = make_exchange(body or {}, headers=headers, path=path, facts=[*facts, *extra])
    context = make_context(declared())
    await exercise(AbSplit(AbSplitConfig.model_validate(config(**options)), context), exchange)
    return exchange.state.get(Assignment), exchange


test_conformance = conformance.tests(AbSplit, config(), document=declared())


async def test_everybody_is_told_and_stays() -> None:
    """Header, fact, decision and model agree, and are the same for the same person."""
    async with chain(document(sticky=["header:x-user-id"])) as running:
        answers = [
            await running.chat(
                model="assistant", headers={**NO_DELAY, "x-user-id": f"user-{number % 20}"}
            )
            for number in range(40)
        ]
        counted = running.metric("ab_split_assigned_total", experiment="exp")
    models = {"control": "mock/fast", "smart": "mock/smart"}
    arms = [answer.headers["x-ab-split"].removeprefix("exp=") for answer in answers]

    assert arms[:20] == arms[20:]
    assert set(arms) == set(models)
    for answer, arm in zip(answers, arms, strict=True):
        assert answer.fact(Assignment) == Assignment("exp", arm, models[arm])
        assert answer.headers["x-plano-model"] == models[arm]
        texts = [decision.text for decision in answer.decisions]
        assert f"exp: {arm} -> {models[arm]} (by header:x-user-id)" in texts
    assert counted == 40


async def test_a_reload_moves_nobody() -> None:
    """Two chains of the same document give the same arms."""
    arms: list[list[str]] = []
    for _ in range(2):
        async with chain(document()) as running:
            answers = [await running.chat(user=f"u-{n}", headers=NO_DELAY) for n in range(10)]
        arms.append([answer.headers["x-ab-split"] for answer in answers])

    assert arms[0] == arms[1]


@pytest.mark.parametrize(
    ("body", "facts", "headers", "by"),
    [
        ({"user": "u"}, [Principal("p")], {"x-user-id": "h"}, "header:x-user-id"),
        ({"user": "u"}, [Principal("p")], {}, "principal"),
        ({"user": "u"}, [], {}, "user"),
        ({"metadata": {"user_id": "u"}}, [], {}, "user"),
        ({"safety_identifier": "u"}, [], {}, "user"),
        ({"user": 7, "metadata": "x"}, [], {}, "request"),
        ({}, [], {}, "request"),
    ],
)
async def test_the_first_that_is_there_counts(
    body: dict[str, Any], facts: list[object], headers: dict[str, str], by: str
) -> None:
    """Of header, principal and user; else each request by itself."""
    sticky = ["header:x-user-id", "principal", "user"]
    _, exchange = await assigned(body, *facts, headers=headers, sticky=sticky)

    assert exchange.decisions[0].text.endswith(f"(by {by})")
    assert not any(value in repr(exchange.decisions) for value in ("'u'", "'p'", "'h'"))


async def test_the_others_stay_to_fall_back_on() -> None:
    """The model of the arm is asked first, and the one that was asked for after it."""
    candidates = Candidates(("mock/fast", "openai/gpt"), "fast", explicit=True)
    arms = [{"name": "only", "model": "openai/new"}]
    assignment, exchange = await assigned({}, candidates, arms=arms)

    assert assignment == Assignment("exp", "only", "openai/new")
    assert exchange.state[Candidates].models == ("openai/new", "mock/fast", "openai/gpt")
    assert exchange.state[Candidates].requested == "fast"


async def test_a_failing_arm_falls_back_and_says_so() -> None:
    """The header names the arm, `x-plano-model` who answered."""
    arms = [{"name": "smart", "model": "mock/smart"}]
    fails = {**NO_DELAY, "x-mock-status": "503", "x-mock-model": "smart"}
    async with chain(document(arms=arms)) as running:
        answer = await running.chat(model="assistant", headers=fails)

    assert answer.status == 200
    assert answer.headers["x-ab-split"] == "exp=smart"
    assert answer.headers["x-plano-model"] == "mock/fast"
    assert answer.headers["x-plano-fallback-from"] == "mock/smart"


FAST = Candidates(("mock/fast",), "fast", explicit=True)


@pytest.mark.parametrize(
    ("candidates", "facts", "path", "options"),
    [
        (FAST, (), "/v1/chat/completions", {"requested": ["assistant"]}),
        (FAST, (), "/v1/chat/completions", {"respect_explicit": True}),
        (replace(FAST, exclusive=True), (), "/v1/chat/completions", {}),
        (replace(FAST, models=()), (), "/v1/chat/completions", {}),
        (FAST, (Pin("openai/pinned"),), "/v1/chat/completions", {}),
        (FAST, (), "/v1/embeddings", {}),
    ],
    ids=["not asked for", "explicit", "exclusive", "nobody", "pinned elsewhere", "embeddings"],
)
async def test_who_takes_no_part_is_left_alone(
    candidates: Candidates, facts: tuple[object, ...], path: str, options: dict[str, Any]
) -> None:
    """No fact, and the candidates as they were."""
    assignment, exchange = await assigned({}, candidates, *facts, path=path, **options)

    assert assignment is None
    assert exchange.state[Candidates] is candidates


async def test_a_session_that_is_held_to_its_arm_takes_part() -> None:
    """What was served before is what is served now."""
    arms = [{"name": "smart", "model": "mock/smart"}]
    assignment, _ = await assigned({}, Pin("mock/smart"), arms=arms)

    assert assignment is not None


async def test_without_a_model_respect_for_it_changes_nothing() -> None:
    """Who names none takes part."""
    candidates = Candidates(("mock/fast",), "", explicit=False)
    assignment, _ = await assigned({}, candidates, respect_explicit=True)

    assert assignment is not None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"arms": [{"name": "a", "model": "mock/none"}]}, "no model mock/none is declared"),
        ({"arms": [ARMS[0], ARMS[0]]}, "two arms have the same name"),
        ({"arms": [{**ARMS[0], "weight": 0}]}, "every weight is 0"),
        ({"arms": [{**ARMS[0], "weight": -1}]}, "must be at least 0"),
        ({"sticky": ["cookie"]}, "sticky"),
        ({"stiky": ["user"]}, 'did you mean "sticky"'),
    ],
)
async def test_mistakes_are_told_at_the_start(options: dict[str, Any], said: str) -> None:
    """With their place, before anything is served."""
    with pytest.raises(ConfigError, match=said):
        async with chain(document(**options)):
            pass
