"""`routers bench`: how long a decision takes, by the length of the prompt and of the table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Annotated, Any, Final

import typer

from plano_builtin_filters.classify.commands import base, choice, report
from plano_builtin_filters.classify.evaluation import percentile
from plano_builtin_filters.classify.routers.protocol import Question, RouteOption, Router, Turn

_TEXT: Final = (
    "how do we make the best use of this long list when some of it is not clear and the other "
    "people who work here need to find a way to read it before the end of the day"
)
_WORDS: Final = tuple(_TEXT.split())
"""Each is one token for the usual tokenizers."""
_SUBJECTS: Final = (
    ("code generation", "writing new functions and programs from a description"),
    ("debugging", "finding out why a program fails, from errors and traces"),
    ("creative writing", "stories, poems and other invented texts"),
    ("translation", "turning a text into another language"),
    ("summaries", "making long documents and threads short"),
    ("mathematics", "calculations, equations and proofs"),
    ("data analysis", "tables, statistics and charts"),
    ("travel planning", "flights, hotels, routes and what to see"),
    ("legal questions", "contracts, rights and obligations"),
    ("health advice", "symptoms, medicines and nutrition"),
)
_MOST: Final = 128
"""Routes of a table; a request may not bring more, either."""
_PERCENTS: Final = (50, 95, 99)


@base.app.command()
def bench(
    ctx: typer.Context,
    *,
    router: base.RouterOption = None,
    model: base.ModelOption = None,
    config: base.ConfigOption = None,
    routes: Annotated[str, typer.Option(help="Routes of a table, several with commas.")] = (
        "5,10,20"
    ),
    tokens: Annotated[str, typer.Option(help="Tokens of a prompt, several with commas.")] = (
        "50,200,500"
    ),
    threads: Annotated[
        int | None, typer.Option(min=0, help="Cores of one inference; 0: all. Default: 1.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Questions of each kind.")] = 20,
    json: base.Json = False,
) -> None:
    """Measure a decision's time with a new routing table (cold) and with a known one (warm)."""
    with base.reported():
        kinds = list(product(_numbers("--routes", routes), _numbers("--tokens", tokens)))
        chosen = choice.choose(
            base.Kit.of(ctx),
            choice.document_of(config),
            router=router,
            model=model,
            options={"threads": threads},
        )
        with base.progress("measuring", len(kinds) * 2 * repeat) as show:
            rows, where = asyncio.run(_run(chosen, kinds, repeat, show))
    told = {
        "router": chosen.name,
        "model": chosen.model,
        "where": where,
        "repeat": repeat,
        "rows": rows,
    }
    if json:
        base.print_json(told)
    else:
        print(_text(told))  # noqa: T201


async def _run(
    chosen: choice.Choice,
    kinds: Sequence[tuple[int, int]],
    repeat: int,
    show: Callable[[float, str], None],
) -> tuple[list[dict[str, Any]], str]:
    rows = []
    done = 0
    tables = _tables()
    async with chosen.opened() as router:
        await choice.warm(router, next(tables)[: kinds[0][0]])  # loads the model
        for routes, tokens in kinds:
            for state in ("cold", "warm"):
                times = await _times(router, tables, (routes, tokens), repeat, cold=state == "cold")
                done += repeat
                show(done, f"{routes} routes, {tokens} tokens")
                rows.append(
                    {
                        "routes": routes,
                        "tokens": tokens,
                        "table": state,
                        **{f"p{p}_ms": base.milliseconds(percentile(times, p)) for p in _PERCENTS},
                    }
                )
        return rows, router.describe()


async def _times(
    router: Router,
    tables: Iterator[tuple[RouteOption, ...]],
    kind: tuple[int, int],
    repeat: int,
    *,
    cold: bool,
) -> list[float]:
    """Return the seconds of some questions, each with words of its own.

    Raises:
        RouterFailed: One was not answered.
    """
    routes, tokens = kind
    table = next(tables)[:routes]
    if not cold:
        await choice.warm(router, table)
    times = []
    for number in range(repeat):
        if cold:
            table = next(tables)[:routes]
        _, seconds = await choice.ask(
            router, Question((Turn("user", prompt(number, tokens)),), table)
        )
        times.append(seconds)
    return times


def prompt(number: int, tokens: int) -> str:
    """Return a prompt of about so many tokens; another one for each number."""
    return " ".join(_WORDS[(number + place) % len(_WORDS)] for place in range(tokens))


def _tables() -> Iterator[tuple[RouteOption, ...]]:
    """Yield long routing tables, none of which shares a route with another."""
    version = 0
    while True:
        version += 1
        yield tuple(_rows(version))


def _rows(version: int) -> Iterator[RouteOption]:
    for place in range(_MOST):
        name, description = _SUBJECTS[place % len(_SUBJECTS)]
        kind = f" of kind {place // len(_SUBJECTS) + 1}" if place >= len(_SUBJECTS) else ""
        yield RouteOption(f"{name}{kind}", f"{description}{kind}, edition {version}")


def _numbers(option: str, text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    limit = _MOST if option == "--routes" else 100_000
    if not all(part.isascii() and part.isdigit() and 0 < int(part) <= limit for part in parts):
        raise base.WrongInput(f"{option} takes numbers from 1 to {limit}, with commas")
    return [int(part) for part in parts]


def _text(told: dict[str, Any]) -> str:
    rows = [["table", "routes", "tokens", *(f"p{p}" for p in _PERCENTS)]]
    for one in told["rows"]:
        times = [f"{report.number(one[f'p{p}_ms'], 2)} ms" for p in _PERCENTS]
        rows.append([one["table"], str(one["routes"]), str(one["tokens"]), *times])
    head = f"{told['where']}: {told['repeat']} questions of each kind, one at a time"
    note = "cold: the routing table is new. warm: it was read before. Tokens are about as many."
    return f"{head}\n{base.columns(rows)}\n{note}"
