"""Plano's older shapes become v0.4's, with the warnings its own migration gives."""

from __future__ import annotations

import pytest

from tests.framework.config.reading import PROVIDERS, errors_of, read, warnings_of

INLINE = """\
version: {version}
model_providers:
  - model: openai/gpt-4o
    access_key: $OPENAI_API_KEY
    routing_preferences:
      - {{name: code, description: writing code}}
      - {{name: chat, description: small talk}}
  - model: openai/o3
    routing_preferences:
      - {{name: code, description: {other}}}
"""


@pytest.mark.parametrize("version", ["v0.1", "v0.1.0", "0.1-beta", "0.2.0", "v0.3.0"])
def test_inline_preferences_move_to_the_top(version: str) -> None:
    """Those of one name become one entry, with the models in the order of the file."""
    text = INLINE.format(version=version, other="writing code")

    document = read(text).document

    assert document.version == "v0.4.0"
    assert [(p.name, p.description, p.models) for p in document.routing_preferences] == [
        ("code", "writing code", ("openai/gpt-4o", "openai/o3")),
        ("chat", "small talk", ("openai/gpt-4o",)),
    ]
    assert errors_of(text) == []
    assert warnings_of(text)[0] == (
        "2:1 routing_preferences inside model_providers is deprecated and was moved to the "
        "top-level routing_preferences of v0.4.0 (run `plano-filters migrate --write`)"
    )


def test_a_document_without_a_version_is_migrated_too() -> None:
    """Examples without a version are common; they may be of any."""
    text = INLINE.format(version="x", other="writing code").partition("\n")[2]

    assert len(read(text).document.routing_preferences) == 2
    assert "no version is given; v0.4.0 is assumed (version: v0.4.0)" in warnings_of(text)
    assert errors_of(text) == []


def test_conflicting_descriptions_keep_the_first() -> None:
    """The second is named."""
    text = INLINE.format(version="v0.3.0", other="reviewing code")

    assert read(text).document.routing_preferences[0].description == "writing code"
    assert (
        '10:9 routing preference "code" has another description elsewhere; the first one is kept'
        in warnings_of(text)
    )


def test_a_top_level_preference_wins_outright() -> None:
    """An inline entry of its name adds nothing to it."""
    text = INLINE.format(version="v0.3.0", other="writing code")
    text += "routing_preferences:\n  - {name: code, description: mine, models: [openai/o3]}\n"

    assert [(p.name, p.models) for p in read(text).document.routing_preferences] == [
        ("code", ("openai/o3",)),
        ("chat", ("openai/gpt-4o",)),
    ]


def test_inline_preferences_of_a_wildcard_are_refused() -> None:
    """They would name no model."""
    text = INLINE.format(version="v0.3.0", other="writing code").replace("openai/o3", "openai/*")

    assert errors_of(text) == [
        "9:5 openai/* has routing_preferences but is a wildcard; name one model"
    ]


def test_inline_preferences_of_v0_4_are_refused() -> None:
    """Plano ignores them silently."""
    assert errors_of(INLINE.format(version="v0.4.0", other="writing code")) == [
        (
            f"{line}:5 since v0.4.0, routing_preferences stand at the top of the document "
            "(move it there and list the models of each)"
        )
        for line in (5, 9)
    ]


def test_a_moved_preference_is_reported_where_it_stands() -> None:
    """Mistakes in it keep their line after the move."""
    text = INLINE.format(version="v0.3.0", other="writing code").replace(
        "{name: chat, description: small talk}", "{name: chat, descriptoin: small talk}"
    )

    assert errors_of(text) == [
        (
            '7:22 unknown key "descriptoin" in model_providers[0].routing_preferences[1] '
            '(did you mean "description"?)'
        )
    ]


def test_llm_providers_is_model_providers() -> None:
    """The old key works, with a warning, and its mistakes keep their place."""
    text = "version: v0.3.0\nllm_providers:\n  - {model: mock/gpt-4o, defualt: true}\n"

    assert read(text).document.model_providers[0].model == "mock/gpt-4o"
    assert warnings_of(text) == ["2:1 llm_providers is deprecated (rename it to model_providers)"]
    assert errors_of(text) == [
        '3:26 unknown key "defualt" in model_providers[0] (did you mean "default"?)'
    ]


def test_both_provider_keys_are_refused() -> None:
    """One list is meant; which one, only the author knows."""
    assert errors_of(PROVIDERS + "llm_providers: []\n") == [
        (
            "5:1 llm_providers and model_providers are the same key; use one of them "
            "(llm_providers is deprecated: move its entries to model_providers)"
        )
    ]


def test_legacy_listeners_become_a_list() -> None:
    """With the port and the name that Plano gives them."""
    text = PROVIDERS + "listeners:\n  egress_traffic: {message_format: openai, timeout: 30s}\n"

    (listener,) = read(text).document.listeners

    assert (listener.name, listener.port, listener.address) == ("egress_traffic", 12000, "0.0.0.0")
    assert listener.timeout == 30.0
    assert errors_of(text) == []


def test_an_empty_legacy_listener_has_the_defaults() -> None:
    """A key with nothing behind it is a listener."""
    text = PROVIDERS + "listeners:\n  egress_traffic:\n"

    assert [one.port for one in read(text).document.listeners] == [12000]
    assert errors_of(text) == []


@pytest.mark.parametrize(
    ("listeners", "told"),
    [
        (
            "{egres_traffic: {}}",
            (
                '5:13 a legacy listener is "egress_traffic" or "ingress_traffic", '
                'not "egres_traffic" (did you mean "egress_traffic"?)'
            ),
        ),
        (
            "{egress_traffic: {message_format: xml}}",
            '5:46 message_format must be "openai"',
        ),
        (
            "{ingress_traffic: {port: 10000}}",
            "5:13 a listener of type prompt is not supported (`--compat warn` ignores it)",
        ),
        (
            "{egress_traffic: {model_providers: []}}",
            (
                "5:30 model_providers is set in more than one place "
                "(keep one list, at the top of the document)"
            ),
        ),
        (
            "[{name: a, filter_chain: [], input_filters: []}]",
            "5:23 filter_chain and input_filters are the same key; use input_filters",
        ),
    ],
)
def test_what_cannot_be_migrated_is_refused(listeners: str, told: str) -> None:
    """Each at its place in the old shape."""
    assert errors_of(PROVIDERS + f"listeners: {listeners}\n") == [told]


def test_providers_may_stand_in_a_legacy_listener() -> None:
    """Their mistakes are reported where they stand."""
    text = (
        "version: v0.1\nlisteners:\n  egress_traffic:\n    llm_providers:\n"
        "      - {model: openai/gpt-4o}\n      - {model: gpt-4o}\n"
    )

    assert [one.model for one in read(text).document.model_providers] == ["openai/gpt-4o", "gpt-4o"]
    assert errors_of(text) == [
        '6:17 "gpt-4o" is no model name; write <provider>/<model id> or <provider>/*'
    ]


def test_filter_chain_is_input_filters() -> None:
    """The key of Plano's documentation works, with a warning."""
    text = PROVIDERS + (
        "filters: [{id: guard, url: http://localhost:1}]\n"
        "listeners: [{name: a, filter_chain: [guard]}]\n"
    )

    assert read(text).document.listeners[0].input_filters == ("guard",)
    assert errors_of(text) == []
    assert warnings_of(text) == ["6:23 filter_chain is deprecated (rename it to input_filters)"]


@pytest.mark.parametrize(
    "text",
    [
        "model_providers: 1",
        "model_providers: [1, {model: [a], routing_preferences: [1]}]",
        "model_providers: [{model: a/b, routing_preferences: 1}]",
        "model_providers: [{model: a/b, routing_preferences: [{name: [x]}, {name: {}}]}]",
        "routing_preferences: 1\nmodel_providers: [{model: a/b, routing_preferences: []}]",
        "listeners: {egress_traffic: 1, ingress_traffic: []}",
        "listeners: [1, [], {filter_chain: 1}]",
    ],
)
def test_shapes_that_make_no_sense_are_errors_too(text: str) -> None:
    """Wrong types are reported, not stumbled over."""
    assert errors_of(f"version: v0.3.0\n{text}\n")
