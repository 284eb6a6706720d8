"""A law: however turns follow one another, each is sent with exactly what was said before it."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from plano_builtin_filters.conversation_state import ConversationStateConfig
from tests.filters.conversation_state.stand import CLAUDE, GPT, answered, gate, said

WORDS = st.text('abc "{}\n', min_size=1, max_size=5)
TURN = st.tuples(WORDS, WORDS, st.booleans(), st.booleans(), st.integers(0, 99))
"""What is asked, what is answered, whether streamed, whether by a provider that keeps its own,
and which earlier turn is continued."""


@settings(deadline=None, max_examples=60)
@given(st.lists(TURN, min_size=1, max_size=12))
def test_a_tree_of_turns(turns: list[tuple[str, str, bool, bool, int]]) -> None:
    """Every turn continues some earlier one, or begins a conversation."""
    asyncio.run(grow(turns))


async def grow(turns: list[tuple[str, str, bool, bool, int]]) -> None:
    """Play the turns."""
    known: list[tuple[str, list[Any]]] = []
    async with gate() as it:
        for number, (asked, told, stream, native, which) in enumerate(turns):
            body: dict[str, Any] = {"input": asked, "stream": stream}
            before: list[Any] = []
            if which < len(known):
                body["previous_response_id"], before = known[which]
            document = {**template(told), "id": f"resp_{number}"}
            response = await it.ask(
                body, answer=document, store=native, models=(GPT if native else CLAUDE,)
            )
            whole = [*before, said(asked)]
            assert it.sent["input"] == (whole if before else asked)
            assert (response["id"] == f"resp_{number}") is native
            known.append((response["id"], [*whole, answered(told)]))


def template(text: str) -> dict[str, Any]:
    """Return a response that says a text."""
    output = {**answered(text), "id": "msg_1"}
    return {"id": "", "object": "response", "status": "completed", "output": [output]}


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 4), st.lists(st.integers(0, 30), min_size=1, max_size=25))
def test_a_conversation_is_whole_or_an_error(entries: int, order: list[int]) -> None:
    """However few responses are kept: a turn is never sent with a part of its history."""

    async def play() -> None:
        known: list[tuple[str, list[Any]]] = []
        async with gate(ConversationStateConfig(max_entries=entries)) as it:
            for number, which in enumerate(order):
                body: dict[str, Any] = {"input": str(number)}
                before: list[Any] = []
                if which < len(known):
                    body["previous_response_id"], before = known[which]
                response = await it.ask(body, answer=template(f"re {number}"))
                if "error" in response:
                    assert response["error"]["code"] == "previous_response_not_found"
                    assert before
                    continue
                whole = [*before, said(str(number))]
                assert it.sent["input"] == (whole if before else str(number))
                known.append((response["id"], [*whole, answered(f"re {number}")]))

    asyncio.run(play())
