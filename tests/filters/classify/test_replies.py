"""What a router model's reply means: a table, then laws."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plano_builtin_filters.classify.routers.prompts import TEMPLATES
from plano_builtin_filters.classify.routers.protocol import (
    OTHER,
    Question,
    RouteOption,
    RouterFailed,
    Scores,
    Turn,
)
from plano_builtin_filters.classify.routers.replies import parse, scores

NAMES = ["code", "code review", "Creative Writing", "customer's question", "café", "A", "a"]
ARCH, PLANO = TEMPLATES["arch-router"], TEMPLATES["plano-orchestrator"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"route": "code"}', "code"),
        ('{"route": ["code"]}', "code"),
        ('{"route": ["code review", "code"]}', "code review"),  # of several the first
        ('{"route": ["unheard of", "code"]}', "code"),  # the first known one
        ('{"route": ["other", "code"]}', "code"),
        ('{"Route": "code"}', "code"),
        ('{"routes": ["code"]}', "code"),
        ('{"reason": {"a": 1}, "route": "code"}', "code"),
        ('  \n{"route":"code"}\n', "code"),
        ('```json\n{"route": "code"}\n```', "code"),
        ('```\n{"route": "code"}\n```', "code"),
        ('{{"route": ["code"]}}', "code"),  # as the orchestrator's prompt shows it
        ("{'route': 'code'}", "code"),
        ("{'route': ['code review', 'code']}", "code review"),
        ("{'route': \"customer's question\"}", "customer's question"),
        ("{'route': 'customer\\'s question'}", "customer's question"),
        ("{'route': 'customer's question'}", "customer's question"),  # no Python, but clear
        ('{"route": "customer\'s question"}', "customer's question"),
        ("{'route': 'caf\\u00e9'}", "café"),
        ("{'route': 'code', 'sure': True}", "code"),
        ("{route: code}", "code"),
        ('route: "code"', "code"),
        ("Route = code review", "code review"),
        ('{"route": "code review', "code review"),  # cut off, and still clear
        ('Sure! The best one is {"route": "code"}, because it is about {code}.', "code"),
        ('{"route": "route_name"} would be the form, so: {"route": "code"}', "code"),
        ('{"route": "code"}\n\nUser: and now?\n{"route": "A"}', "code"),  # went on talking
        ('<think>{"route": "A"}? No.</think>\n{"route": "code"}', "code"),
        ("code", "code"),
        ('"code"', "code"),
        ("`code`", "code"),
        ("```\ncode\n```", "code"),
        ("**code review**.", "code review"),
        ("code\n\nIt is about code.", "code"),
        ('["code"]', "code"),
        ('{"route": "  CODE   Review "}', "code review"),  # case and spacing
        ('{"route": "creative writing"}', "Creative Writing"),
        ('{"route": "cafe\\u0301"}', "café"),  # composition
        ('{"route": "A"}', "A"),
        ('{"route": "a"}', "a"),
        ('{"route": "other"}', None),
        ('{"route": "Other"}', None),
        ('{"route": "none"}', None),
        ('{"route": null}', None),
        ("{'route': None}", None),
        ("{'route': []}", None),
        ('{"route": []}', None),
        ('{"route": ""}', None),
        ('{"route": [""]}', None),
        ("{route: other}", None),
        ("other", None),
        ("None", None),
        ("null", None),
        ("[]", None),
        ('{"route": "unheard of"}', None),
        ('{"route": ["unheard of", "of that, too"]}', None),
        ('{"route": " A "}', None),  # "A" or "a"?
        ("{'route': 'customer'}", None),  # a part of a name is no name
    ],
)
def test_what_a_reply_means(text: str, name: str | None) -> None:
    """Whatever surrounds it, the route that a reply names is found, or that it names none."""
    assert parse(text, NAMES) == name


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "```", "{}", "[1]", "5", "true", '{"route": 5}', '{"route": {"name": "code"}}',
        '{"route": [1, 2]}', '{"name": "code"}', '{"route"', '{"route": ', "I cannot say.",
        "Write some code for me", "{'route': 'custom", '{"route": "co',
        '{"route": "code',  # or "code review"
        "route: code reviewing", "{" * 5000, "[" * 5000, '{"route":' * 5000,
        "'route': [" + "'a' " * 3000, "9" * 5000, "<think>It is about code", "\\", "'route': '\\",
    ],
)  # fmt: skip
def test_what_no_reply_is(text: str) -> None:
    """What names neither a route nor none of them is a failure, which does not repeat the text."""
    with pytest.raises(RouterFailed) as caught:
        parse(text, NAMES)

    assert caught.value.reason == "reply"
    assert "code" not in str(caught.value)


@pytest.mark.parametrize("text", ['{"route": "other"}', "other", "{'route': 'Other'}"])
def test_a_route_may_be_called_other(text: str) -> None:
    """Where a route has the name "other", the word means that route."""
    assert parse(text, ["code", "other"]) == "other"


def test_an_unclear_name_is_none() -> None:
    """Of two routes that differ only in case, only the exact name means one."""
    assert parse('{"route": "CODE"}', ["Code", "code"]) is None


NAME = st.text(min_size=1, max_size=30) | st.text("'\"`{}[],: \\néß\\", min_size=1, max_size=12)


@given(st.lists(NAME, min_size=1, max_size=6, unique=True), st.data())
@example(["it's", "it"], None)
@example(['say "hi"', "{'route': 'x'}"], None)
def test_a_trained_reply_means_its_name(names: list[str], data: st.DataObject | None) -> None:
    """Whatever a route is called, the reply that the model was trained to give means it."""
    for name in names if data is None else [data.draw(st.sampled_from(names))]:
        assert parse(ARCH.reply(name), names) == name
        if name != OTHER:
            assert parse(PLANO.reply(name), names) == name


@given(st.lists(NAME.filter(lambda name: name.strip().casefold() != OTHER), max_size=6))
def test_a_trained_refusal_means_none(names: list[str]) -> None:
    """The reply that the model was trained to give where no route fits means none."""
    assert parse(ARCH.reply(OTHER), names) is None
    assert parse(PLANO.reply(OTHER), names) is None


PIECES = ["{", "}", "[", "]", '"', "'", "route", ":", ",", " ", "\n", "code", "other", "null", "\\"]


@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_reply_means_something_or_fails(text: str) -> None:
    """A reply means a known route or none, or cannot be read; nothing else happens."""
    with contextlib.suppress(RouterFailed):
        assert parse(text, NAMES) in (*NAMES, None)


# Documents


QUESTION = Question(
    (Turn("user", "fix this"),),
    (RouteOption("code", "writing code"), RouteOption("chat", "talk"), RouteOption("é", "accents")),
)


def document(text: Any, tokens: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    choice: dict[str, Any] = {"message": {"role": "assistant", "content": text}}
    if tokens is not None:
        choice["logprobs"] = {"content": tokens}
    return {"choices": [choice]}


def token(text: str, chance: float) -> dict[str, Any]:
    return {"token": text, "logprob": math.log(chance), "bytes": list(text.encode())}


SURE = [token('{"route": "', 1.0), token("co", 0.5), token("de", 0.8), token('"}', 1.0)]


def test_without_probabilities_an_answer_is_not_calibrated() -> None:
    """A model that only names a route has no confidence, and none is invented."""
    assert scores(document('{"route": "code"}'), QUESTION, ARCH) == Scores(
        (1.0, 0.0, 0.0), 0.0, calibrated=False
    )
    assert scores(document('{"route": "other"}'), QUESTION, ARCH) == Scores(
        (0.0, 0.0, 0.0), 1.0, calibrated=False
    )


def test_probabilities_of_tokens_are_a_confidence() -> None:
    """The probability of a reply is that of its route; what is left is that of none."""
    found = scores(document('{"route": "code"}', SURE), QUESTION, ARCH)

    assert found.calibrated
    assert found.routes == pytest.approx((0.4, 0.0, 0.0))
    assert found.other == pytest.approx(0.6)


def test_a_character_may_be_split_over_tokens() -> None:
    """Where a token is a part of a character, its bytes say which."""
    tokens = [
        token('{"route": ["', 1.0),
        {"token": "\ufffd", "logprob": math.log(0.9), "bytes": [0xC3]},
        {"token": "\ufffd", "logprob": 0, "bytes": [0xA9]},
        token('"]}', 1.0),
    ]
    found = scores(document('{"route": ["é"]}', tokens), QUESTION, PLANO)

    assert found.routes == pytest.approx((0.0, 0.0, 0.9))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ('Sure: {"route": "code"}', [token("Sure: ", 0.1), *SURE]),  # not the trained form
        ('{"route": "code"}', SURE[:-1]),  # not all of them
        ('{"route": "code"}', [token("x", 1.0)]),  # of something else
        ('{"route": "code"}', []),
        ('{"route": "code"}', [{"token": '{"route": "code"}'}]),
        ('{"route": "code"}', [{"token": '{"route": "code"}', "logprob": "0"}]),
        ('{"route": "code"}', [{"token": 7, "logprob": -1, "bytes": [300]}]),
        ('{"route": "code"}', [None]),
        ('{"route": "code"}', [token("", 1.0)] * 600 + SURE),
    ],
)
def test_doubtful_probabilities_are_ignored(text: str, tokens: list[Any]) -> None:
    """Tokens that are not exactly the reply's, in the trained form, say nothing of the route."""
    assert scores(document(text, tokens), QUESTION, ARCH) == Scores(
        (1.0, 0.0, 0.0), 0.0, calibrated=False
    )


def test_content_may_come_in_parts() -> None:
    """Some endpoints give the text as a list of parts."""
    parts = [{"type": "text", "text": '{"route": '}, None, {"type": "text", "text": '"chat"}'}]

    assert scores(document(parts), QUESTION, ARCH).routes == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    "broken",
    [
        None, [], "code", {}, {"choices": None}, {"choices": []}, {"choices": ["code"]},
        {"choices": [{}]}, {"choices": [{"message": None}]}, {"choices": {"0": {}}},
        document(None), document(""), document(5), document([5]), {"error": {"message": "code"}},
    ],
)  # fmt: skip
def test_a_document_without_an_answer_fails(broken: Any) -> None:
    """What is no chat completion with a text in it is a failure of the reply."""
    with pytest.raises(RouterFailed) as caught:
        scores(json.loads(json.dumps(broken)), QUESTION, ARCH)

    assert caught.value.reason == "reply"
