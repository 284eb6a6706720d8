"""Evaluation files: a conversation a line, with its routing table and the right answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plano_builtin_filters.classify.commands.base import WrongInput
from plano_builtin_filters.classify.conversation import turns_of
from plano_builtin_filters.classify.core import judge
from plano_builtin_filters.classify.evaluation import Decision
from plano_builtin_filters.classify.routers.protocol import OTHER, Question, RouteOption, Scores


@dataclass(frozen=True, slots=True)
class Asked:
    """One decision to make."""

    turn: int
    """The index of the user's message."""
    question: Question
    gold: int | None
    """The index of the right route; None for none."""


@dataclass(frozen=True, slots=True)
class Case:
    """One conversation."""

    line: int
    source: str
    tags: tuple[str, ...]
    routes: tuple[RouteOption, ...]
    asked: tuple[Asked, ...]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Route(_Strict):
    name: str = Field(min_length=1)
    description: str


class _Message(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    role: Literal["user", "assistant", "system", "developer", "tool"]
    content: str | list[dict[str, Any]] | None = None


class _Row(_Strict):
    id: str
    source: str
    tags: list[str] = []
    routes: list[_Route] = Field(min_length=1)
    messages: list[_Message]
    gold: dict[str, str] = Field(min_length=1)


def read(file: Path, limit: int | None = None) -> list[Case]:
    """Read an evaluation file.

    Args:
        file: JSON lines; empty ones are skipped.
        limit: Conversations to read, from the first.

    Raises:
        WrongInput: It cannot be read, or a line is wrong: names it.
    """
    try:
        lines = file.read_bytes().decode("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise WrongInput(f"cannot read {file}: {reason}") from None
    cases: list[Case] = []
    for number, line in enumerate(lines, 1):
        if limit is not None and len(cases) >= limit:
            break
        if line.strip():
            try:
                cases.append(_case(number, line))
            except ValueError as error:
                raise WrongInput(f"{file}:{number}: {error}") from None
    if not cases:
        raise WrongInput(f"{file} has no conversation in it")
    return cases


def decided(
    case: Case, asked: Asked, scores: Scores, needed: float = 0.0, seconds: float = 0.0
) -> Decision:
    """Judge an answer as the filter does."""
    verdict = judge(asked.question, scores, needed)
    routed = verdict.outcome == "routed"
    said = "(unsure)" if verdict.outcome == "unsure" else verdict.best
    return Decision(
        case.line, asked.turn, case.source, case.tags, asked.gold, verdict.index,
        verdict.index if routed else None, verdict.confidence, (_gold(asked), said), seconds,
    )  # fmt: skip


def undecided(case: Case, asked: Asked, reason: str) -> Decision:
    """Note a question that was not answered."""
    return Decision(
        case.line, asked.turn, case.source, case.tags, asked.gold, None,
        None, None, (_gold(asked), "(no answer)"), failed=reason,
    )  # fmt: skip


def _gold(asked: Asked) -> str:
    return OTHER if asked.gold is None else asked.question.names[asked.gold]


def _case(number: int, line: str) -> Case:
    """Make a case of a line.

    Raises:
        ValueError: It is wrong.
    """
    try:
        row = _Row.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None
    routes = tuple(RouteOption(one.name, one.description) for one in row.routes)
    if len({one.name for one in routes}) < len(routes):
        raise ValueError("routes: two have the same name")
    asked = tuple(sorted(_asked(row, routes), key=lambda one: one.turn))
    return Case(number, row.source, tuple(row.tags), routes, asked)


def _asked(row: _Row, routes: tuple[RouteOption, ...]) -> Iterator[Asked]:
    messages = [one.model_dump(exclude_none=True) for one in row.messages]
    names = [one.name for one in routes]
    for key, gold in row.gold.items():
        turn = int(key) if key.isascii() and key.isdigit() else -1
        if not 0 <= turn < len(messages) or messages[turn]["role"] != "user":
            raise ValueError(f'gold: "{key}" is not the index of a user\'s message')
        if gold not in names and gold != OTHER:
            raise ValueError(f'gold: "{gold}" is neither a route nor {OTHER}')
        # as a client would have sent it: the conversation up to this message
        turns = turns_of({"messages": messages[: turn + 1]}, "chat")
        if not turns:
            raise ValueError(f"gold: the user's message {turn} has no text")
        # where a route is called "other", that route is meant
        yield Asked(turn, Question(turns, routes), names.index(gold) if gold in names else None)
