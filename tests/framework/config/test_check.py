"""Contradictions and references that lead nowhere are errors."""

from __future__ import annotations

import pytest

from tests.framework.config.reading import PROVIDERS, errors_of, read, warnings_of

LATENCY = "model_metrics_sources: [{type: latency, provider: self}]\n"
COST = "model_metrics_sources: [{type: cost, provider: models.dev}]\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            (
                "model_metrics_sources: [{type: cost, provider: file, url: a}, "
                "{type: cost, provider: models.dev}]"
            ),
            "5:63 only one cost source is allowed",
        ),
        (
            "model_metrics_sources: [{type: latency, provider: prometheus, query: q}]",
            '5:25 a prometheus source needs "url"',
        ),
        (
            "model_metrics_sources: [{type: latency, provider: prometheus, url: 'http://p'}]",
            '5:25 a prometheus source needs "query"',
        ),
        (
            "model_metrics_sources: [{type: cost, provider: file}]",
            '5:25 a file source needs "url", the path of the file',
        ),
        (
            "model_metrics_sources: [{type: cost, provider: bloomberg}]",
            (
                '5:48 model_metrics_sources[0].provider must be "digitalocean", "models.dev", '
                '"genai-prices" or "file"'
            ),
        ),
        (
            "routing: {session_ttl_seconds: 0}",
            "5:32 routing.session_ttl_seconds must be at least 1",
        ),
        (
            "routing: {session_max_entries: 10001}",
            "5:32 routing.session_max_entries must be at most 10000",
        ),
        (
            "routing: {session_cache: {type: redis}}",
            '5:26 session_cache of type redis needs "url"',
        ),
        (
            "routing: {session_cache: {type: redis, url: 'http://a'}}",
            "5:45 the url must start with redis:// or rediss://",
        ),
        ("state_storage: {}", '5:16 state_storage needs "type"'),
        (
            "state_storage: {type: redis}",
            '5:16 state_storage of type redis needs "connection_string"',
        ),
        (
            "state_storage: {type: redis, connection_string: 'postgresql://a:b@c'}",
            "5:49 the connection_string must start with redis:// or rediss://",
        ),
        (
            "state_storage: {type: sqlite}",
            '5:23 state_storage.type must be "memory" or "redis"',
        ),
        (
            "routing: {routing_budget: {max_switch_spend_pct: 101}}",
            "5:50 routing.routing_budget.max_switch_spend_pct must be at most 100",
        ),
        (
            "routing: {routing_budget: {record_counterfactual: true}}",
            '5:27 routing.routing_budget needs "max_switch_spend_pct"',
        ),
        (
            "listeners: [{name: a, port: 1}, {name: a, port: 2}]",
            '5:40 two listeners have the name "a"',
        ),
        ("listeners: [{name: '', port: 1}]", "5:20 a listener needs a name"),
        ("listeners: [{port: 1}]", '5:13 listeners[0] needs "name"'),
        (
            "listeners: [{name: a, port: 1}, {name: b, port: 1}]",
            '5:49 "a" already listens on this port',
        ),
        (
            "listeners: [{name: a, port: 1, address: '127.0.0.1'}, {name: b, port: 1}]",
            '5:71 "a" already listens on this port',
        ),
        ("listeners: [{name: a, port: 70000}]", "5:29 listeners[0].port must be at most 65535"),
        (
            "listeners: [{name: a, type: modle}]",
            '5:29 listeners[0].type must be "model" (did you mean "model"?)',
        ),
        ("listeners:", "5:1 listeners must be a list of listeners"),
        (
            "filters: [{id: a, url: 'http://a'}, {id: a, url: 'http://b'}]",
            '5:42 two filters have the id "a"',
        ),
        ("filters: [{id: '', url: 'http://a'}]", "5:16 a remote filter needs an id"),
        (
            "filters: [{id: a, url: 'a:1'}]",
            "5:24 url must be a URL with http:// or https:// and a host",
        ),
        (
            "tracing: {opentracing_grpc_endpoint: 'https://x:4317'}",
            "5:38 the scheme must be http",
        ),
        (
            "tracing: {opentracing_grpc_endpoint: 'http://x:4317/v1'}",
            "5:38 the path must be empty",
        ),
        (
            "tracing: {otlp_endpoint: 'x:4318'}",
            "5:26 otlp_endpoint must be a URL such as http://localhost:4318",
        ),
        ("tracing: {random_sampling: 101}", "5:28 tracing.random_sampling must be at most 100"),
        ("versoin: v0.4.0", '5:1 unknown key "versoin" (did you mean "version"?)'),
        ("foo: 1", '5:1 unknown key "foo"'),
        (
            "model_metrics_sources: [{type: latency, provider: self, query: up}]",
            "5:57 a self source has no query",
        ),
        (
            "model_metrics_sources: [{type: cost, provider: genai-prices, refresh_interval: 9}]",
            "5:62 a genai-prices source has no refresh_interval",
        ),
        (
            "model_metrics_sources: [{type: cost, provider: models.dev, url: models.dev}]",
            "5:65 url must be a URL with http:// or https:// and a host",
        ),
        ("limits: {body: 1}", "5:16 limits.body must be at least 1024"),
        (
            "overrides: {upstream_connect_timeout: soon}",
            ("5:39 overrides.upstream_connect_timeout must be a duration such as 30s, 500ms or 5m"),
        ),
    ],
)
def test_each_contradiction_is_told_once(text: str, told: str) -> None:
    """One mistake, one error, at its place."""
    assert errors_of(PROVIDERS + text + "\n") == [told]


def test_an_unknown_version_is_refused() -> None:
    """With those there are."""
    text = PROVIDERS.replace("v0.4.0", "v0.5.0")
    assert errors_of(text) == [
        (
            '1:10 version must be "v0.1", "v0.1.0", "0.1-beta", "0.2.0", "v0.3.0" or "v0.4.0" '
            '(did you mean "v0.4.0"?)'
        )
    ]


@pytest.mark.parametrize(
    "text",
    [
        "routing: {session_cache: {type: memory}}",
        "routing: {session_cache: {type: redis, url: 'rediss://a:1'}}",
        "routing: {routing_budget: {max_switch_spend_pct: 0}}",
        "state_storage: {type: memory}",
        "state_storage: {type: redis, connection_string: 'rediss://a:1'}",
        "state_storage:",
        "listeners: [{name: a, port: 1}, {name: b, port: 2}]",
        "listeners: [{name: a, port: 0}, {name: b, port: 0}]",
        (
            "listeners: [{name: a, port: 1, address: 127.0.0.1}, "
            "{name: b, port: 1, address: 127.0.0.2}]"
        ),
        "tracing: {opentracing_grpc_endpoint: 'http://x:4317'}",
        (
            "model_metrics_sources: [{type: latency, provider: self}, {type: cost, provider: file, "
            "url: prices.json}]"
        ),
        "limits:",
        "model_aliases: {}",
    ],
)
def test_what_contradicts_nothing_is_accepted(text: str) -> None:
    """The neighbours of the mistakes are right."""
    assert errors_of(PROVIDERS + text + "\n") == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "routing: {session_ttl_seconds: 5}\nfilters: [alias, upstream]",
            "5:11 routing.session_ttl_seconds affinity",
        ),
        (
            "routing: {route_on_user_only: true}\nfilters: [alias, upstream]",
            "5:11 routing.route_on_user_only affinity",
        ),
        (
            LATENCY.strip() + "\nfilters: [alias, classify, upstream]",
            "5:25 model_metrics_sources rerank",
        ),
        (
            COST.strip() + "\nfilters: [alias]",
            "5:25 model_metrics_sources upstream",
        ),
        (
            "state_storage: {type: memory}\nfilters: [alias, upstream]",
            "5:1 state_storage conversation_state",
        ),
        (
            "overrides: {llm_routing_model: plano/Plano-Orchestrator}\nfilters: [alias, upstream]",
            "5:13 overrides.llm_routing_model classify",
        ),
    ],
)
def test_settings_nobody_reads_are_told(text: str, told: str) -> None:
    """Nothing is ignored silently: a warning names the filter that would read it."""
    place, name, reader = told.split()
    assert warnings_of(PROVIDERS + text + "\n") == [
        (
            f"{place} {name} is not read by any filter of this chain "
            f"(the filter `{reader}` would read it)"
        )
    ]


def test_a_connection_that_memory_does_not_use_is_told() -> None:
    """Plano accepts it; so do we, with a warning that does not repeat it."""
    text = PROVIDERS + "state_storage: {type: memory, connection_string: 'redis://:hush@h'}\n"
    assert errors_of(text) == []
    assert warnings_of(text) == ["5:31 state_storage of type memory connects to nothing"]


def test_deadlines_of_further_listeners_are_told() -> None:
    """All listeners share one chain, which has the first one's; equal ones contradict nothing."""
    listeners = (
        "listeners:\n- {name: a, timeout: 30s}\n- {name: b, port: 1, timeout: 30s}\n"
        "- {name: c, port: 2, timeout: 5s, max_retries: 3}\n"
    )
    assert warnings_of(PROVIDERS + listeners) == [
        f'8:{column} {key} of the first listener, "a", holds for all of them'
        for column, key in ((22, "timeout"), (35, "max_retries"))
    ]


def test_settings_that_a_filter_of_the_chain_reads_are_not_told() -> None:
    """Both sources are read by `rerank`; prices by `upstream`, too."""
    for text in (
        COST + "filters: [alias, rerank, upstream]\n",
        COST + "filters: [alias, rerank]\n",
        COST + "filters: [alias, upstream]\n",
        LATENCY + "filters: [alias, rerank, upstream]\n",
    ):
        assert warnings_of(PROVIDERS + text) == []


def test_a_price_for_a_model_that_nobody_declared_is_told() -> None:
    """The full name counts; a wildcard declares every model of its provider."""
    source = "{type: cost, provider: models.dev, model_aliases: {a: openai/gpt-4o, b: gpt-4o}}"
    assert warnings_of(PROVIDERS + f"model_metrics_sources: [{source}]\n") == [
        '5:97 "gpt-4o" is not declared in model_providers, so nobody asks for its price'
    ]
    anything = PROVIDERS + '  - {model: "groq/*", access_key: sk-aaaaaaaa}\n'
    wild = source.replace("b: gpt-4o", "b: groq/x")
    assert warnings_of(anything + f"model_metrics_sources: [{wild}]\n") == []


def test_a_preference_that_nothing_orders_is_told() -> None:
    """`prefer` is read by `rerank`; a chain without it leaves the order of the document."""
    text = (
        PROVIDERS + "routing_preferences:\n"
        "  - {name: a, description: b, models: [gpt-4o], selection_policy: {prefer: cheapest}}\n"
    )
    told = (
        "6:68 routing_preferences.selection_policy.prefer is not read by any filter of this chain "
        "(the filter `rerank` would read it)"
    )
    assert warnings_of(text + "filters: [alias, classify, upstream]\n") == [told]
    assert warnings_of(text) == []


def test_problems_are_told_in_the_order_of_the_file() -> None:
    """All kinds of checks together, sorted by position."""
    text = (
        "version: v0.4.0\nlisteners: [{name: a, port: abc}]\nmodel_providers:\n"
        "  - {model: gpt-4o, acess_key: x}\n  - {model: openai/o3, default: maybe}\n"
        "model_aliases: {fast: {target: o4}}\nfoo: 1\n"
    )
    report = read(text).report

    found = [(p.position.line, p.message) for p in report.sorted(report.errors) if p.position]

    assert found == [
        (2, "listeners[0].port must be a whole number"),
        (4, '"gpt-4o" is no model name; write <provider>/<model id> or <provider>/*'),
        (4, 'unknown key "acess_key" in model_providers[0]'),
        (5, "model_providers[1].default must be true or false"),
        (6, '"o4" is not declared in model_providers (declared: gpt-4o, openai/o3)'),
        (7, 'unknown key "foo"'),
    ]
