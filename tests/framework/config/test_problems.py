"""Problems are told as a compiler tells them."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plano_filters.config import Position, Problem, Report
from plano_filters.config.words import dotted
from plano_filters.errors import ConfigError
from tests.framework.config.reading import problems_of


class Cat(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["cat"]
    lives: int = Field(default=9, ge=1, le=9)


class Dog(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["dog"]
    name: str = Field(min_length=1)


class Home(BaseModel):
    model_config = ConfigDict(extra="forbid")
    pets: tuple[Annotated[Cat | Dog, Field(discriminator="kind")], ...] = Field(
        default=(), min_length=1
    )
    rooms: dict[str, float] = {}
    owner: Cat | None = None


def validated(value: object) -> list[str]:
    report = Report()
    with pytest.raises(ValidationError) as caught:
        Home.model_validate(value)
    report.validation(("home",), caught.value, Home)
    return [
        f"{dotted(p.path)}: {p.message}" + (f" ({p.hint})" if p.hint else "") for p in report.errors
    ]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"pet": []}, 'home.pet: unknown key "pet" in home (did you mean "pets"?)'),
        (
            {"pets": [{"kind": "cat", "live": 1}]},
            'home.pets[0].live: unknown key "live" in home.pets[0] (did you mean "lives"?)',
        ),
        (
            {"pets": [{"kind": "cat", "lives": 10}]},
            "home.pets[0].lives: home.pets[0].lives must be at most 9",
        ),
        (
            {"pets": [{"kind": "cat", "lives": "many"}]},
            "home.pets[0].lives: home.pets[0].lives must be a whole number",
        ),
        ({"pets": [{"kind": "dog"}]}, 'home.pets[0]: home.pets[0] needs "name"'),
        (
            {"pets": [{"kind": "dog", "nmae": "x"}]},  # and not also that the name is missing
            'home.pets[0].nmae: unknown key "nmae" in home.pets[0] (did you mean "name"?)',
        ),
        (
            {"pets": [{"kind": "dog", "name": ""}]},
            "home.pets[0].name: home.pets[0].name must not be empty",
        ),
        (
            {"pets": [{"kind": "dgo", "name": "x"}]},
            'home.pets[0].kind: home.pets[0].kind must be "cat" or "dog" (did you mean "dog"?)',
        ),
        ({"pets": [{"name": "x"}]}, 'home.pets[0]: home.pets[0] needs "kind"'),
        ({"pets": []}, "home.pets: home.pets must not be empty"),
        ({"pets": 1}, "home.pets: home.pets must be a list"),
        ({"rooms": {"hall": "big"}}, "home.rooms.hall: home.rooms.hall must be a number"),
        ({"owner": []}, "home.owner: home.owner must be a mapping"),
    ],
)
def test_what_pydantic_finds_is_told_in_plain_words(value: object, told: str) -> None:
    """One sentence each, with a suggestion where a word is misspelt."""
    assert validated(value) == [told]


def test_a_problem_is_rendered_with_its_line_and_a_caret() -> None:
    """Message, place, line, caret and suggestion, as a compiler writes them."""
    text = "version: v0.4.0\nmodel_providers:\n  - {model: openai/gpt-4o, defualt: true}\n"

    (problem,) = problems_of(text)

    assert problem.render() == (
        'error: unknown key "defualt" in model_providers[0]\n'
        "  --> plano.yaml:3:28\n"
        "3 |   - {model: openai/gpt-4o, defualt: true}\n"
        '  |                            ^^^^^^^ did you mean "default"?'
    )
    assert problem.to_dict() == {
        "severity": "error",
        "message": 'unknown key "defualt" in model_providers[0]',
        "path": "model_providers[0].defualt",
        "file": "plano.yaml",
        "line": 3,
        "column": 28,
        "hint": 'did you mean "default"?',
    }


def test_a_long_line_is_cut_around_the_caret() -> None:
    """A line of thousands of characters shows only what is near the mistake."""
    where = Position("plano.yaml", 1, 5001, 400, "a" * 5000 + "b" * 5000)

    lines = Problem("error", "too long", (), where).render().splitlines()

    assert all(len(line) < 200 for line in lines)
    assert lines[2][lines[3].index("^")] == "b"
    assert lines[2][lines[3].index("^") - 1] == "a"


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("error", "wrong"), "error: wrong"),
        (Problem("error", "wrong", ("a", 1)), "error: wrong\n  --> a[1]"),
        (
            Problem("warning", "odd", (), Position("f.yaml", 1, 1, 0, ""), "do this"),
            "warning: odd\n  --> f.yaml\n  help: do this",
        ),
    ],
)
def test_a_problem_without_a_line_names_what_there_is(problem: Problem, text: str) -> None:
    """The file or the path stands in for the line."""
    assert problem.render() == text


def test_all_errors_are_raised_together() -> None:
    """One exception has every error, and no warning."""
    report = Report()
    report.error(("b",), "second")
    report.error(("a",), "first")
    report.error(("a",), "first")
    report.warning(("c",), "only odd")

    with pytest.raises(ConfigError) as caught:
        report.raise_errors()

    assert [problem.message for problem in report.errors] == ["second", "first"]
    assert str(caught.value) == "error: second\n  --> b\n\nerror: first\n  --> a"


def test_nothing_is_raised_without_errors() -> None:
    """Warnings alone do not stop."""
    report = Report()
    report.warning((), "odd")
    report.raise_errors()
