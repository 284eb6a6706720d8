"""From a document to a chain: every mistake is reported before anything starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from plano_filters.chain import Chain
from plano_filters.compile import compile_chain
from plano_filters.config.document import Document, FilterEntry
from plano_filters.config.problems import Report
from plano_filters.exchange import Exchange
from plano_filters.filter import FactoryContext, Filter, FilterConfig, TerminalFilter
from plano_filters.messages import Response
from plano_filters.registry import Registry
from plano_filters.testing import make_exchange

HERE = __name__


@dataclass(frozen=True)
class Colour:
    name: str


class PaintConfig(FilterConfig):
    colour: str = Field(min_length=3)


class Paint(Filter[PaintConfig]):
    """Provides a colour."""

    config_type = PaintConfig
    provides = (Colour,)

    def __init__(self, config: PaintConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        if config.colour == "infrared":
            raise ValueError("colour: infrared cannot be seen")

    async def on_request(self, exchange: Exchange) -> None:
        exchange.state.put(Colour(self.config.colour))


class Part(BaseModel):
    """A model of a filter's own, which shows its input in errors as pydantic does."""

    number: int


class Careless(Filter[PaintConfig]):
    """Validates a part of its config only when it is built."""

    config_type = PaintConfig

    def __init__(self, config: PaintConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        Part.model_validate({"number": config.colour})


class Look(Filter[FilterConfig]):
    """Needs a colour."""

    requires = (Colour,)

    async def on_request(self, exchange: Exchange) -> None:
        exchange.decide(f"saw {exchange.state[Colour].name}")


class NestConfig(FilterConfig):
    filters: list[FilterEntry] = []


class Nest(TerminalFilter[NestConfig]):
    """Runs a chain of its own, with itself as the end."""

    config_type = NestConfig

    def __init__(self, config: NestConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        self.inner = context.nested(config.filters, End(FilterConfig(), context))

    async def on_request(self, exchange: Exchange) -> Response:
        return await self.inner.run_or_raise(exchange.child(exchange.request.copy()))


class Guard(Filter[FilterConfig]):
    """Lets nobody pass when it fails."""

    fails_closed = True


class End(TerminalFilter[FilterConfig]):
    """Answers."""

    async def on_request(self, exchange: Exchange) -> Response:
        return Response.from_json("end")


REGISTRY = Registry.from_entry_points("no.such.group")


def compiled(*entries: dict[str, Any]) -> tuple[Chain, Report]:
    made = tuple(
        FilterEntry(
            **{**entry, "use": f"{HERE}:{entry['use']}", "id": entry.get("id", entry["use"])}
        )
        for entry in entries
    )
    report = Report()
    return compile_chain(Document(filters=made), REGISTRY, report), report


PAINT: dict[str, Any] = {"use": "Paint", "config": {"colour": "red"}}
LOOK: dict[str, Any] = {"use": "Look"}
END: dict[str, Any] = {"use": "End"}


async def test_a_right_chain_runs() -> None:
    """The links stand in the order of the list."""
    chain, report = compiled(PAINT, LOOK, END)
    exchange = make_exchange({})

    assert not report.errors
    assert str(chain) == "Paint -> Look -> End"
    assert (await chain.run(exchange)).body == b'"end"'
    assert [d.text for d in exchange.decisions] == ["saw red"]


@pytest.mark.parametrize(
    ("entries", "says", "hint"),
    [
        ((LOOK, END), '"Look" needs Colour, which no earlier filter provides', ""),
        ((LOOK, PAINT, END), 'which "Paint" provides after it', 'move "Paint" above "Look"'),
        (({**PAINT, "on_error": "skip"}, LOOK, END), "may be skipped", "on_error: fail"),
        (({**PAINT, "enabled": False}, LOOK, END), "no earlier filter provides", ""),
        ((PAINT,), "must end with a filter that answers", "upstream"),
        ((END, PAINT, END | {"id": "e2"}), "are never reached", "move"),
        ((PAINT, LOOK, {**END, "on_error": "skip"}), "and cannot be skipped", "on_error: fail"),
        (({"use": "Guard", "on_error": "skip"}, END), "nobody may pass", "on_error: fail"),
        ((PAINT, PAINT, END), 'two filters have the id "Paint"', "id"),
        (({"use": "Pant"}, END), "cannot be imported", ""),
        (({"use": "Paint", "config": {"colour": "infrared"}}, END), "infrared cannot be seen", ""),
        (({"use": "Paint", "config": {"color": "red", "colour": "red"}}, END), "color", "colour"),
        (({"use": "Paint"}, END), "colour", ""),
        (({"use": "Nest", "config": {"filters": [{"use": f"{HERE}:Look"}]}},), "needs Colour", ""),
    ],
)
def test_each_mistake_is_reported(
    entries: tuple[dict[str, Any], ...], says: str, hint: str
) -> None:
    """What is wrong, where, and what to do about it."""
    _, report = compiled(*entries)

    problem = next(p for p in report.errors if says in p.message)
    assert hint in problem.hint
    assert problem.path[0] == "filters"


def test_a_filter_that_is_left_out_moves_no_error() -> None:
    """An error stands at its own entry, whatever is disabled above it."""
    _, report = compiled({**PAINT, "enabled": False}, END, END | {"id": "e2"})

    assert [problem.path for problem in report.errors] == [("filters", 1)]


def test_an_error_of_a_constructor_does_not_show_the_config() -> None:
    """A credential may be in it; pydantic's own text would print it."""
    _, report = compiled({"use": "Careless", "config": {"colour": "sk-secret"}}, END)

    (problem,) = report.errors
    assert problem.message == (
        'filter "Careless" cannot be built: number: Input should be a valid integer, '
        "unable to parse string as an integer"
    )
    with pytest.raises(ValidationError) as raised:
        PaintConfig.model_validate({"colour": "no"})
    assert "'no'" not in str(raised.value)


def test_all_mistakes_are_reported_at_once() -> None:
    """Nobody should have to run a validator four times."""
    _, report = compiled(LOOK, {"use": "Paint"}, {"use": "Nothing"})

    assert len(report.errors) >= 3


def test_a_guard_is_told_apart() -> None:
    """The error stands at the key; a guard that fails, or is left out, is none."""
    skipped = {"use": "Guard", "on_error": "skip"}
    nest = {"use": "Nest", "config": {"filters": [{**skipped, "use": f"{HERE}:Guard"}]}}

    assert [p.path for p in compiled(skipped, END)[1].errors] == [("filters", 0, "on_error")]
    assert not compiled({"use": "Guard"}, {**PAINT, "on_error": "skip"}, END)[1].errors
    assert not compiled({**skipped, "enabled": False}, END)[1].errors
    assert [p.path for p in compiled(nest)[1].errors] == [
        ("filters", 0, "config", "filters", 0, "on_error")
    ]


async def test_nested_filters_see_what_is_outside() -> None:
    """A nested filter may require what an outer one provides."""
    nest = {"use": "Nest", "config": {"filters": [{"use": f"{HERE}:Look"}]}}
    chain, report = compiled(PAINT, nest)
    exchange = make_exchange({})

    assert not report.errors
    await chain.run(exchange)
    assert [d.text for d in exchange.decisions] == ["saw red"]


def test_a_chain_in_front_of_an_app_may_not_answer_for_it() -> None:
    """A terminal filter there would hide the app."""
    report = Report()
    entry = FilterEntry(use=f"{HERE}:End")

    compile_chain(Document(filters=(entry,)), REGISTRY, report, terminal=False)

    assert "never reached" in report.errors[0].message


def test_a_chain_in_front_of_an_app_needs_no_terminal_filter() -> None:
    """The app is its end."""
    report = Report()
    entry = FilterEntry(use=f"{HERE}:Paint", config={"colour": "red"})

    chain = compile_chain(Document(filters=(entry,)), REGISTRY, report, terminal=False)

    assert not report.errors
    assert len(chain.links) == 1
