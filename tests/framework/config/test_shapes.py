"""The short forms of filters and middleware."""

from __future__ import annotations

import pytest

from plano_filters.config import FilterEntry, filter_entries
from tests.framework.config.reading import PROVIDERS, errors_of, read


def chain_of(filters: str) -> list[FilterEntry]:
    return list(read(PROVIDERS + f"filters: {filters}\n").document.filters)


@pytest.mark.parametrize(
    ("entry", "made"),
    [
        ("alias", FilterEntry(use="alias")),
        ("alias:", FilterEntry(use="alias")),
        ("alias: {}", FilterEntry(use="alias")),
        ("alias: {fallback: []}", FilterEntry(use="alias", config={"fallback": []})),
        ("{use: alias, id: a}", FilterEntry(use="alias", id="a")),
        ("{use: 'a.b:C', enabled: false}", FilterEntry(use="a.b:C", enabled=False)),
        ("'a.b:C'", FilterEntry(use="a.b:C")),
        (
            "{use: a, timeout: 2s, on_error: skip, config: {url: x}}",
            FilterEntry(use="a", timeout=2.0, on_error="skip", config={"url": "x"}),
        ),
    ],
)
def test_each_form_of_a_filter(entry: str, made: FilterEntry) -> None:
    """A name, a name with its config, and the long form mean the same."""
    text = PROVIDERS + f"filters:\n  - {entry}\n"
    assert list(read(text).document.filters) == [made]


def test_definitions_of_services_share_the_list() -> None:
    """An entry with a `url` is Plano's kind of filter, anywhere in the list."""
    document = read(
        PROVIDERS + "filters: [{id: guard, url: http://a:1}, alias, {id: b, url: http://b:1}]\n"
    ).document

    assert [entry.use for entry in document.filters] == ["alias"]
    assert [remote.id for remote in document.remote_filters] == ["guard", "b"]


def test_without_links_the_default_chain_stands() -> None:
    """A file of Plano's runs as it is."""
    names = ("alias", "affinity", "classify", "rerank", "upstream")
    expected = [FilterEntry(use=name) for name in names]

    assert chain_of("[]") == expected
    assert chain_of("") == expected
    assert chain_of("[{id: guard, url: http://a:1}]") == expected


FORMS = "(write `- name`, `- name: {config}` or `- use: name`)"


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ("{alias: {}}", [f"5:10 filters must be a list {FORMS}"]),
        ("[alias, 5]", [f"5:18 this is no filter of a chain {FORMS}"]),
        ("[{a: {}, b: {}}]", [f"5:11 this is no filter of a chain {FORMS}"]),
        ("[alias: 5]", [f"5:11 this is no filter of a chain {FORMS}"]),
        (
            "[{use: alias, timout: 3s}]",
            ['5:24 unknown key "timout" in filters[0] (did you mean "timeout"?)'],
        ),
        (
            "[{use: alias, on_error: skipp}]",
            ['5:34 filters[0].on_error must be "fail" or "skip" (did you mean "skip"?)'],
        ),
        ("[alias, {use: alias, timeout: 0s}]", ["5:40 filters[1].timeout must be greater than 0"]),
        ("[{use: alias, config: 3}]", ["5:32 filters[0].config must be a mapping"]),
    ],
)
def test_what_is_no_filter_is_refused(filters: str, told: list[str]) -> None:
    """With the forms there are, at its place."""
    assert errors_of(PROVIDERS + f"filters: {filters}\n") == told


def test_nested_lists_take_the_same_forms() -> None:
    """A filter's own `filters` is read by the same rules."""
    made = [{"use": "a"}, {"use": "b", "config": {"c": 1}}]

    assert filter_entries(["a", {"b": {"c": 1}}]) == made
    with pytest.raises(ValueError, match="an entry is no filter"):
        filter_entries([1])
    with pytest.raises(ValueError, match="must be a list of filters"):
        filter_entries("a")


def test_each_form_of_a_middleware() -> None:
    """An import path, one with options, and the long form."""
    document = read(
        PROVIDERS + "middleware: ['a.b:C', {'d.e:F': {x: 1}}, {use: 'g:H', options: {y: 2}}]\n"
    ).document

    assert [(one.use, one.options) for one in document.middleware] == [
        ("a.b:C", {}),
        ("d.e:F", {"x": 1}),
        ("g:H", {"y": 2}),
    ]


@pytest.mark.parametrize(
    ("middleware", "told"),
    [
        ("a", "5:13 middleware must be a list of `package.module:Class`"),
        ("[3]", "5:14 a middleware is `package.module:Class`, or that with its options"),
        (
            "[{use: 'a:B', option: {}}]",
            '5:27 unknown key "option" in middleware[0] (did you mean "options"?)',
        ),
    ],
)
def test_what_is_no_middleware_is_refused(middleware: str, told: str) -> None:
    """At its place."""
    assert errors_of(PROVIDERS + f"middleware: {middleware}\n") == [told]


def test_nested_filters_are_located_too() -> None:
    """A mistake in the config of a filter inside a filter has its own place."""
    loaded = read(PROVIDERS + "filters:\n  - upstream: {filters: [alias, {alias: {fallbak: 1}}]}\n")
    path = ("filters", 0, "config", "filters", 1)
    loaded.report.error((*path, "config", "fallbak"), "unknown", on_key=True)
    loaded.report.error((*path, "use"), "no such filter")

    found = [(p.position.line, p.position.column) for p in loaded.report.errors if p.position]

    assert found == [(6, 42), (6, 34)]
