"""Remote filters in a document: mistakes are named, and the rest becomes links of the chain."""

from __future__ import annotations

import re

import pytest

from plano_filters.compile import compile_chain
from plano_filters.config import FilterEntry
from plano_filters.registry import Registry
from tests.framework.config.reading import CONFIGS, PROVIDERS, errors_of, read, warnings_of

DEFINED = "  - {id: guard, url: http://a}\n  - {id: redact, url: http://b, on_error: skip}\n"


def document(listener: str, filters: str = "") -> str:
    """Return a document with two remote filters and a listener."""
    return f"{PROVIDERS}filters:\n{DEFINED}{filters}listeners:\n  - {{name: a, {listener}}}\n"


def chain(text: str) -> list[str]:
    """Return the ids of a document's chain; any problem fails."""
    loaded = read(text)
    made = compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)
    loaded.report.raise_errors()
    assert loaded.report.warnings == []
    return [link.id for link in made.links]


def links(text: str) -> list[FilterEntry]:
    """Return the links of a document that call services."""
    return [entry for entry in read(text).document.filters if entry.use == "remote"]


@pytest.mark.parametrize(
    ("listener", "filters", "expected"),
    [
        (
            "input_filters: [guard, redact]",
            "",
            "alias guard redact affinity classify rerank upstream",
        ),
        (  # answers come from the right: the first of the list sees them first
            "output_filters: [guard, redact]",
            "",
            "alias redact guard affinity classify rerank upstream",
        ),
        (
            "input_filters: [guard], output_filters: [redact, guard]",
            "",
            "alias guard guard.output redact affinity classify rerank upstream",
        ),
        (
            "input_filters: [guard, redact]",
            "  - auth: {keys: [{id: a, key: $OPENAI_API_KEY}]}\n  - alias\n  - upstream\n",
            "auth alias guard redact upstream",
        ),
        (
            "input_filters: [guard, redact]",
            "  - alias\n  - {use: upstream, id: providers}\n",
            "alias guard redact providers",
        ),
        (  # one that has a place keeps it, and is not called twice
            "input_filters: [guard], output_filters: [redact]",
            "  - alias\n  - classify\n  - remote: {filter: guard}\n  - upstream\n",
            "alias redact classify remote upstream",
        ),
    ],
)
def test_where_the_filters_of_a_listener_stand(listener: str, filters: str, expected: str) -> None:
    """Behind those that find out who asks and for which model, before those that read the text."""
    assert " ".join(chain(document(listener, filters))) == expected


def test_conversations_are_continued_behind_the_filters() -> None:
    """As in Plano: they see what the client sent."""
    text = document("input_filters: [guard, redact]") + "state_storage: {type: memory}\n"

    assert " ".join(chain(text)).startswith("alias guard redact conversation_state affinity ")


def test_a_link_has_what_its_definition_says() -> None:
    """Which side it is on, and what a failure does; a link of one's own may say otherwise."""
    given = links(document("input_filters: [guard], output_filters: [redact]"))
    own = links(
        document(
            "port: 1",
            "  - alias\n  - remote: {filter: redact}\n"
            "  - {use: remote, id: strict, on_error: fail, config: {filter: redact}}\n"
            "  - {use: remote, id: x, config: {filter: guard}}\n  - upstream\n",
        )
    )

    assert given == [
        FilterEntry(use="remote", id="guard", config={"filter": "guard", "phases": ["request"]}),
        FilterEntry(
            use="remote",
            id="redact",
            on_error="skip",
            config={"filter": "redact", "phases": ["response"]},
        ),
    ]
    assert [entry.on_error for entry in own] == ["skip", "fail", "fail"]


def test_a_filter_that_is_not_defined_is_named() -> None:
    """With what is defined, and with what was probably meant."""
    unknown = 'no remote filter "{}" is defined in filters (defined: guard, redact)'
    told = [
        f'9:31 {unknown.format("gaurd")} (did you mean "guard"?)',
        f"9:64 {unknown.format('x')}",
    ]

    assert errors_of(document("input_filters: [gaurd], output_filters: [redact, x]")) == told
    assert errors_of(PROVIDERS + "listeners: [{name: a, input_filters: [x]}]\n") == [
        '5:39 no remote filter "x" is defined in filters (defined: none)'
    ]


def test_a_filter_stands_in_a_list_once() -> None:
    """Twice the same call is a mistake; once for each side is not."""
    assert errors_of(document("input_filters: [guard, guard], output_filters: [redact]")) == [
        '9:38 "guard" stands in input_filters twice'
    ]


def test_listeners_that_share_a_chain_share_its_filters() -> None:
    """A guard that only one of them names would be missing at the other, or be too much there."""
    text = document("input_filters: [guard], output_filters: [redact]")
    same = "  - {name: b, port: 1, input_filters: [guard], output_filters: [redact]}\n"
    other = "  - {name: b, port: 1, input_filters: [redact], output_filters: [redact]}\n"
    none = "  - {name: b, port: 1, input_filters: [guard]}\n"
    told = 'all listeners share one chain, so {} must be that of "a"'
    hint = " (give every listener the same filters)"

    assert errors_of(text + same) == []
    assert errors_of(text + other) == [f"10:24 {told.format('input_filters')}{hint}"]
    assert errors_of(text + none) == [f"10:5 {told.format('output_filters')}{hint}"]


def test_a_definition_that_nothing_calls_is_told() -> None:
    """A link calls it as well as a listener; also one inside another filter."""
    told = '7:5 nothing calls the remote filter "redact" (name it in input_filters or '
    nested = "  - alias\n  - upstream: {filters: [{remote: {filter: redact}}]}\n"

    (warning,) = warnings_of(document("input_filters: [guard]"))

    assert warning.startswith(told)
    assert warnings_of(document("input_filters: [guard]", nested)) == []


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        ("{id: '', url: http://a}", "a remote filter needs an id"),
        ('{id: "a\\nb", url: http://a}', "the id goes into a header"),
        ("{id: é, url: http://a}", "the id goes into a header"),
        ("{id: a, url: a}", "url must be a URL with http:// or https:// and a host"),
        ("{id: a, url: 'http://me:hush@a'}", "url must not have a credential in it"),
        ("{id: a, url: 'http://a/?token=hush'}", "url must end with a path"),
        ("{id: a, url: http://a, type: htp}", 'must be "mcp" or "http"'),
        ("{id: a, url: http://a, transport: sse}", 'must be "streamable-http"'),
        ("{id: a, url: http://a, unit: word}", 'must be "event", "sentence" or "answer"'),
        ("{id: a, url: http://a, timeout: 0}", "must be greater than 0"),
        ("{id: a, url: http://a, headers: {'a b': c}}", 'no header can carry "a b"'),
        ('{id: a, url: http://a, headers: {a: "b\\nc"}}', 'no header can carry "a"'),
        ("{id: a, url: http://a, urll: b}", 'unknown key "urll"'),
    ],
)
def test_a_definition_that_cannot_be_called_is_told(definition: str, told: str) -> None:
    """Before anything starts, and without what may be a secret in it."""
    text = f"{PROVIDERS}filters:\n  - {definition}\nlisteners: [{{name: a}}]\n"

    assert any(told in error for error in errors_of(text)), errors_of(text)
    rendered = "\n".join(problem.render() for problem in read(text).report.errors)
    assert "hush" not in rendered


def test_two_definitions_of_one_id_are_told() -> None:
    """Which one is called would be chance."""
    twice = document("input_filters: [guard, redact]", "  - {id: guard, url: http://c}\n")

    assert errors_of(twice) == ['8:10 two filters have the id "guard"']


def test_a_tool_of_a_filter_without_tools_is_told() -> None:
    """`http` is no MCP."""
    more = "  - {id: c, url: http://c, type: http, tool: x}\n"
    text = document("input_filters: [guard, redact, c]", more)

    assert warnings_of(text) == ["8:40 a filter of type http has no tool"]


def test_a_unit_that_nobody_reads_is_told() -> None:
    """It says how answers are shown; requests are shown whole."""
    text = document(
        "input_filters: [guard, redact, c]", "  - {id: c, url: http://c, unit: event}\n"
    )
    linked = "  - alias\n  - remote: {filter: c, phases: [response]}\n  - upstream\n"
    more = "  - {id: c, url: http://c, unit: event}\n" + linked

    assert warnings_of(text) == ["8:28 unit is about answers, and this filter sees requests only"]
    assert warnings_of(document("input_filters: [guard, redact]", more)) == []


def test_mistakes_in_a_chain_are_where_they_were() -> None:
    """The links that are added do not move the places of the others."""
    text = document("input_filters: [guard, redact]", "  - alias\n  - upstream: {attemtps: 1}\n")
    loaded = read(text)
    compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)

    (error,) = loaded.report.errors

    assert error.position is not None
    assert (error.position.line, error.position.column) == (9, 16)


def test_a_link_of_the_same_name_is_told_where_the_listener_names_it() -> None:
    """One of them needs a name of its own."""
    text = document("input_filters: [guard, redact]", "  - {use: alias, id: guard}\n  - upstream\n")
    loaded = read(text)
    compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)

    (error,) = loaded.report.errors

    assert error.message == 'two filters have the id "guard"'
    assert error.position is not None
    assert (error.position.line, error.position.column) == (11, 31)


def test_the_example_of_the_page_is_right() -> None:
    """What a reader copies compiles, and has the chain that the page names."""
    page = (CONFIGS.parent / "docs" / "remote-filters.md").read_text()
    (block,) = re.findall(r"```yaml\n(version.*?)```", page, re.DOTALL)

    made = " -> ".join(chain(block))

    assert f"`{made}`" in page
