"""Routing preferences as requests brought them along before: read, and taken out."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.classify.older import LONGEST_TEXT, found, modern
from plano_builtin_filters.classify.preferences import INLINE, Table, inline, strip
from plano_builtin_filters.classify.routers.protocol import RouteOption
from plano_filters import BadRequest, load_text
from plano_filters.models import ModelIndex
from plano_filters.testing import make_exchange

DOCUMENT = load_text(
    """
version: v0.4.0
listeners: [{name: m, type: model}]
model_providers:
  - {model: mock/fast, default: true}
  - {model: mock/smart}
""",
    env={},
).document
INDEX = ModelIndex.of(DOCUMENT, {})
CODE = {"name": "code", "description": "writing code"}
SUMS = {"name": "sums", "description": "adding up"}
POLICY = [
    {"model": "mock/smart", "routing_preferences": [CODE, SUMS]},
    {"model": "fast", "routing_preferences": [{**CODE, "description": "bugs"}]},
]
YAML = """\
- model: mock/smart
  routing_preferences:
    - name: code
      description: writing code
    - name: sums
      description: adding up
- model: fast
  routing_preferences:
    - {name: code, description: bugs}
"""
MODERN = [{**CODE, "models": ["mock/smart", "fast"]}, {**SUMS, "models": ["mock/smart"]}]
PLANO, ARCHGW = "metadata.plano_preference_config", "metadata.archgw_preference_config"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("routing_policy", POLICY),
        (PLANO, YAML),
        (ARCHGW, YAML),
        (PLANO, "---\n" + YAML),
        (PLANO, json.dumps(POLICY)),
    ],
)
def test_each_form_has_a_modern_one(name: str, given: object) -> None:
    """A kind gets the models that named it, in their order, and its first description."""
    assert modern(name, given) == MODERN


@pytest.mark.parametrize(
    "payload",
    [
        {"routing_policy": POLICY},
        {"metadata": {"plano_preference_config": YAML}},
        {"metadata": {"archgw_preference_config": YAML, "user": "u"}},
    ],
)
def test_the_table_of_an_older_form(payload: dict[str, Any]) -> None:
    """Names are resolved as in a modern one."""
    table = inline(payload, INDEX)

    assert table is not None
    assert table.options == (RouteOption("code", "writing code"), RouteOption("sums", "adding up"))
    assert [one.models for one in table.rows] == [("mock/smart", "mock/fast"), ("mock/smart",)]


def test_an_empty_one_turns_routing_off() -> None:
    """As an empty modern one does."""
    assert inline({"routing_policy": []}, INDEX) == Table(())
    assert inline({"metadata": {"plano_preference_config": "[]"}}, INDEX) == Table(())


@pytest.mark.parametrize(
    ("body", "left", "said"),
    [
        (
            {"routing_policy": POLICY, "seed": 1},
            {"seed": 1},
            "routing_policy is read as routing_preferences, which took its place",
        ),
        (
            {"metadata": {"plano_preference_config": YAML}},
            {},
            f"{PLANO} is read as routing_preferences, which took its place",
        ),
        (
            {"metadata": {"archgw_preference_config": YAML, "user": "u"}},
            {"metadata": {"user": "u"}},
            f"{ARCHGW} is read as routing_preferences, which took its place",
        ),
        (
            {INLINE: [], "routing_policy": POLICY},
            {},
            "routing_policy is ignored: there is routing_preferences",
        ),
        (
            {"routing_policy": POLICY, "metadata": {"plano_preference_config": YAML}},
            {},
            (
                "routing_policy is read as routing_preferences, which took its place; "
                f"{PLANO} is ignored: there is routing_policy"
            ),
        ),
        ({"routing_policy": None, "metadata": {"plano_preference_config": None}}, {}, ""),
        ({"metadata": {"user": "u"}}, {"metadata": {"user": "u"}}, ""),
        ({"metadata": {}}, {"metadata": {}}, ""),
        ({"metadata": "x"}, {"metadata": "x"}, ""),
        ({INLINE: MODERN}, {}, ""),
    ],
)
def test_no_form_is_sent_on(body: dict[str, Any], left: dict[str, Any], said: str) -> None:
    """What was not for the provider is taken out, and it is said what counted."""
    request = make_exchange(body).request

    assert strip(request) == said
    assert json.loads(request.body) == left


@pytest.mark.parametrize(
    ("payload", "param", "said"),
    [
        ({"routing_policy": {}}, "routing_policy", "routing_policy: input should be a valid list"),
        (
            {"routing_policy": [{"model": "fast", "routing_preferences": [{"name": "a"}]}]},
            "routing_policy",
            "routing_policy[0].routing_preferences[0].description: field required",
        ),
        (
            {"routing_policy": [{"model": "fats", "routing_preferences": [CODE]}]},
            "routing_policy",
            (
                "routing_policy, read as routing_preferences[0].models: "
                'the model "fats" is not declared; did you mean "fast"?'
            ),
        ),
        (
            {"metadata": {"plano_preference_config": [1]}},
            PLANO,
            f"{PLANO} must be a text of YAML",
        ),
        (
            {"metadata": {"plano_preference_config": "- &a b\n- *a"}},
            PLANO,
            f"{PLANO}: YAML anchors and aliases are not allowed; write the value out",
        ),
        (
            {"metadata": {"archgw_preference_config": "[" * LONGEST_TEXT}},
            ARCHGW,
            f"{ARCHGW}: not valid YAML: ",
        ),
        (
            {"metadata": {"archgw_preference_config": "x" * (LONGEST_TEXT + 1)}},
            ARCHGW,
            f"{ARCHGW} may have 16384 characters at most",
        ),
    ],
)
def test_a_wrong_one_is_refused(payload: dict[str, Any], param: str, said: str) -> None:
    """The error names the field and the place in it."""
    with pytest.raises(BadRequest) as caught:
        inline(payload, INDEX)

    assert caught.value.param == param
    assert caught.value.detail.startswith(said)
    assert len(caught.value.detail) < 1000


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=8) | st.sampled_from(["fast", YAML, "- a: b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["model", "routing_preferences", "name", "description"]), inner
        )
    ),
    max_leaves=12,
)
FORMS = ["plano_preference_config", "archgw_preference_config"]


@given(JSON, st.dictionaries(st.sampled_from(FORMS), JSON) | JSON)
def test_no_shape_is_an_error_of_ours(policy: object, metadata: object) -> None:
    """Whatever a client sends is a table, no table, or its own mistake; nothing of it is left."""
    body = {"routing_policy": policy, "metadata": metadata}
    request = make_exchange(body).request
    with contextlib.suppress(BadRequest):
        table = inline(request.payload, INDEX)
        assert table is None or all(one.models for one in table.rows)
    strip(request)
    assert not found(request.payload)
