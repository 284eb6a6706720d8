"""Providers, aliases and preferences agree with one another."""

from __future__ import annotations

import pytest

from plano_filters.config import Document, ModelProvider
from plano_filters.config.check_models import is_url, names_of
from tests.framework.config.reading import PROVIDERS, errors_of, warnings_of


def providers(*entries: str) -> str:
    return "version: v0.4.0\nmodel_providers:\n" + "".join(f"  - {{{one}}}\n" for one in entries)


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (
            ["model: gpt-4o"],
            ['3:13 "gpt-4o" is no model name; write <provider>/<model id> or <provider>/*'],
        ),
        (
            ["model: openai/"],
            ['3:13 "openai/" is no model name; write <provider>/<model id> or <provider>/*'],
        ),
        (
            ["model: openai/a", "model: openai/a"],
            ['4:13 "openai/a" is declared twice (keep one)'],
        ),
        (
            ["model: openai/a", "model: openai/a, name: second"],
            ['4:13 "openai/a" is declared twice (keep one)'],
        ),
        (
            ["model: openai/*", "model: openai/*"],
            ['4:13 "openai/*" is declared twice (keep one)'],
        ),
        (
            ["model: openai/a, name: x", "model: openai/b, name: x"],
            ['4:29 "x" is declared twice (give one of them another name)'],
        ),
        (
            ["model: openai/a, default: true", "model: openai/b, default: true"],
            ["4:32 only one model can be the default, and openai/a is it"],
        ),
        (
            ["model: openai/*, default: true"],
            ["3:32 openai/* is a wildcard and cannot be the default"],
        ),
        (
            ["model: azure_openai/gpt-4o"],
            ["3:13 azure_openai needs a base_url (add base_url)"],
        ),
        (
            ["model: opnai/gpt-4o"],
            [
                (
                    '3:13 the provider "opnai" is not known; give base_url and provider_interface '
                    '(did you mean "openai"?)'
                )
            ],
        ),
        (
            ["model: inhouse/x, base_url: 'http://a', provider_interface: opnai"],
            None,
        ),
        (
            ["model: openai/gpt-4o, provider_interface: openai"],
            [
                (
                    "3:28 provider_interface is for providers we do not know; "
                    '"openai" is known (take it out)'
                )
            ],
        ),
        (
            ["model: openai/gpt-4o, base_url: 'api.example.com'"],
            [
                (
                    "3:38 base_url must be a URL with http:// or https:// and a host "
                    "(put https:// in front)"
                )
            ],
        ),
        (
            ["model: openai/gpt-4o, base_url: 'ftp://a'"],
            ["3:38 base_url must be a URL with http:// or https:// and a host"],
        ),
        (["name: x"], ['3:5 model_providers[0] needs "model"']),
    ],
)
def test_each_mistake_of_a_provider_is_told(entries: list[str], told: list[str] | None) -> None:
    """Once, at its place."""
    found = errors_of(providers(*entries))
    if told is None:
        assert found[0].startswith('3:66 "opnai" is no provider interface (known: amazon_bedrock')
        assert found[0].endswith('(did you mean "openai"?)')
    else:
        assert found == told


@pytest.mark.parametrize(
    "entries",
    [
        ["model: openai/gpt-4o", "model: azure_openai/gpt-4o, base_url: 'https://a'"],
        ["model: together_ai/meta-llama/Llama-3:8b"],
        ["model: inhouse/*, base_url: 'http://a/v1', provider_interface: anthropic"],
        ["model: mock/echo"],
    ],
)
def test_two_deployments_of_a_model_are_right(entries: list[str]) -> None:
    """Deployments at different providers may share an id."""
    assert errors_of(providers(*entries)) == []


def test_no_providers_at_all_are_refused() -> None:
    """Nothing could be answered; a chain without `upstream` needs none."""
    assert errors_of("version: v0.4.0\n") == [
        (
            "no model_providers are declared, so no request could be answered "
            "(add `model_providers: [{model: openai/gpt-4o, access_key: $OPENAI_API_KEY}]`)"
        )
    ]
    assert errors_of("version: v0.4.0\nfilters: ['my.own:Terminal']\n") == []


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ('access_key: "sk-a\\n"', "3:35 access_key"),
        ('headers: {x-a: "b\\x00c"}', "3:38 headers.x-a"),
        ('http_host: "a\\r\\nb"', "3:34 http_host"),
    ],
)
def test_what_no_header_can_carry_is_told(entry: str, told: str) -> None:
    """A key from a file with a line break at its end, most often; it is not shown."""
    place, name = told.split()
    assert errors_of(providers(f"model: openai/a, {entry}")) == [
        (
            f"{place} {name} has a line break or another control character in it, "
            "which no header can carry"
        )
    ]


def test_the_name_of_a_header_is_one() -> None:
    """A space or a colon in it would end the name."""
    assert errors_of(providers('model: openai/a, headers: {"x a": b, x-b: c}')) == [
        '3:33 "x a" is no name of a header'
    ]


@pytest.mark.parametrize("interface", ["openai", "google", "xai", "astraflow", "astraflow_cn"])
def test_every_interface_that_plano_knows_is_known(interface: str) -> None:
    """Those its schema rejects included."""
    entry = f"model: own/m, base_url: 'http://h', provider_interface: {interface}"
    assert errors_of(providers(entry)) == []


def test_a_key_that_is_not_used_is_told() -> None:
    """The client's credential goes on, so the other has no use."""
    assert warnings_of(
        providers("model: openai/a, access_key: $OPENAI_API_KEY, passthrough_auth: true")
    ) == ["3:23 openai/a passes the client's credential on, so its access_key is not used"]


def test_bedrock_has_every_model() -> None:
    """OpenAI's behind their API, the others by Converse: there is nothing to warn of."""
    entries = [
        f"model: bedrock/{model}, base_url: 'http://b', access_key: k"
        for model in ("us.anthropic.claude-x", "us.amazon.nova-x", "us.openai.gpt-x")
    ]

    assert warnings_of(providers(*entries)) == []


def test_a_provider_without_a_credential_is_told() -> None:
    """It would be refused, unless it needs none or is a server of the user's own."""
    entries = (
        "model: openai/a",
        "model: openai/*, passthrough_auth: true",
        "model: mock/a",
        "model: openai/b, base_url: 'http://localhost:8000'",
    )
    assert warnings_of(providers(*entries)) == [
        (
            "3:13 openai/a has no access_key, so every request to it will be refused "
            "(access_key: $OPENAI_API_KEY)"
        )
    ]


DECLARED = "(declared: openai/gpt-4o, anthropic/claude-sonnet-4-5)"


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("openai/gpt-4o", []),
        ("gpt-4o", []),
        (
            "gpt-4",
            [
                (
                    f'5:29 "gpt-4" is not declared in model_providers {DECLARED} '
                    '(did you mean "gpt-4o"?)'
                )
            ],
        ),
        ("zzz", [f'5:29 "zzz" is not declared in model_providers {DECLARED}']),
        ("b", ['5:29 "b" is an alias (write "gpt-4o")']),
    ],
)
def test_an_alias_leads_to_a_declared_model(target: str, told: list[str]) -> None:
    """By full name or bare id, and not to another alias."""
    text = f"model_aliases: {{a: {{target: {target}}}, b: {{target: gpt-4o}}}}\n"
    assert errors_of(PROVIDERS + text) == told


def test_an_alias_hides_no_model() -> None:
    """Its name is its own, and not empty."""
    text = "model_aliases: {gpt-4o: {target: gpt-4o}, '': {target: gpt-4o}}\n"
    assert errors_of(PROVIDERS + text) == [
        '5:17 the alias "gpt-4o" hides a model of that name',
        "5:43 an alias needs a name",
    ]


def test_a_bare_id_of_two_deployments_is_ambiguous() -> None:
    """A reference to it must say which one."""
    text = providers(
        "model: openai/gpt-4o", "model: azure_openai/gpt-4o, base_url: 'https://a', name: eu"
    )
    assert errors_of(text + "model_aliases: {a: {target: gpt-4o}}\n") == [
        '5:29 "gpt-4o" is ambiguous: openai/gpt-4o, azure_openai/gpt-4o (write the full name)'
    ]
    for name in ("eu", "azure_openai/gpt-4o", "openai/gpt-4o"):
        assert errors_of(text + f"model_aliases: {{a: {{target: {name}}}}}\n") == []


def test_what_a_wildcard_covers_is_not_declared() -> None:
    """A reference needs an entry of its own."""
    text = providers("model: openai/*") + "model_aliases: {a: {target: openai/gpt-4o}}\n"
    assert errors_of(text) == [
        (
            '4:29 "openai/gpt-4o" is not declared in model_providers (declared: openai/*) '
            "(openai/* does not declare it: add an entry for openai/gpt-4o)"
        )
    ]


def preference(more: str) -> str:
    return PROVIDERS + f"routing_preferences:\n  - {{name: a, description: b, {more}}}\n"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("models: [gpt-4o]", []),
        ("models: []", ["6:39 routing_preferences[0].models must not be empty"]),
        ("selection_policy: {prefer: none}", ['6:5 routing_preferences[0] needs "models"']),
        (
            "models: [gpt-4o, o9]",
            [f'6:48 "o9" is not declared in model_providers {DECLARED}'],
        ),
        ("models: [gpt-4o], selection_policy: {prefer: cheapest}", []),
        ("models: [gpt-4o], selection_policy: {prefer: fastest}", []),
        (
            "models: [gpt-4o], selection_policy: {prefer: random}",
            [
                (
                    "6:76 routing_preferences[0].selection_policy.prefer must be "
                    '"cheapest", "fastest" or "none"'
                )
            ],
        ),
        (
            "models: [gpt-4o], selection_policy: {}",
            ['6:67 routing_preferences[0].selection_policy needs "prefer"'],
        ),
    ],
)
def test_each_mistake_of_a_preference_is_told(more: str, told: list[str]) -> None:
    """Once, at its place."""
    assert errors_of(preference(more)) == told


def test_preferences_have_names_of_their_own() -> None:
    """The second of one name is refused."""
    text = preference("models: [gpt-4o]") + "  - {name: a, description: c, models: [gpt-4o]}\n"
    assert errors_of(text) == ['7:12 two routing preferences are named "a"']


def test_the_router_model_is_declared_or_one_of_planos() -> None:
    """A model nobody declared cannot route."""
    text = "overrides: {llm_routing_model: ollama/router}\n"
    assert errors_of(PROVIDERS + text) == [
        f'5:32 "ollama/router" is not declared in model_providers {DECLARED}'
    ]
    assert errors_of(PROVIDERS + "overrides: {llm_routing_model: plano/x}\n") == []


def test_names_of() -> None:
    """Full names and given names win over bare ids."""
    document = Document(
        model_providers=(
            ModelProvider(model="openai/a"),
            ModelProvider(model="azure/a"),
            ModelProvider(model="openai/b", name="a"),
            ModelProvider(model="openai/*"),
        )
    )
    assert names_of(document) == {
        "openai/a": [0],
        "azure/a": [1],
        "openai/b": [2],
        "a": [2],
        "b": [2],
    }


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("http://a", True),
        ("https://a:1/b", True),
        ("a:1", False),
        ("http://", False),
        ("http://a:99999", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_is_url(text: str, is_one: bool) -> None:
    """Scheme and host are needed, and the port must be one."""
    assert is_url(text) is is_one
