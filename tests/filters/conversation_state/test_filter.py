"""What `conversation_state` does to the requests and answers of a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from plano_builtin_filters.conversation_state import ConversationStateConfig
from plano_builtin_filters.conversation_state.core import OURS
from plano_filters import Continued, UpstreamFailed
from plano_filters.shared import Shared
from plano_filters.testing import FakeClock
from tests.filters.conversation_state.stand import (
    CLAUDE,
    GPT,
    Gate,
    answered,
    events_of,
    gate,
    said,
)
from tests.support.answers import response_document

NOT_FOUND = "previous_response_not_found"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_is_continued_with_everything_before_it(stream: bool) -> None:
    """The provider gets the items of all turns, in order, and no id that it does not know."""
    async with gate() as it:
        one = await it.ask({"input": "first", "stream": stream}, answer="one")
        two = await it.ask(
            {"input": [said("second")], "previous_response_id": one["id"], "stream": stream},
            answer="two",
        )
        await it.ask({"input": "third", "previous_response_id": two["id"], "stream": stream})

        assert it.sent["input"] == [
            said("first"), answered("one"), said("second"), answered("two"), said("third"),
        ]  # fmt: skip
        assert "previous_response_id" not in it.sent
        assert it.told == ["continued: 4 items before 1", "kept for 86400 s"]
        assert (it.count("lookups", "hit"), it.count("writes", "kept")) == (2, 3)
        assert two["previous_response_id"] == one["id"]
        assert two["store"] is True


async def test_a_conversation_branches() -> None:
    """The same response can be continued twice; neither continuation knows the other."""
    async with gate() as it:
        root = (await it.ask({"input": "root"}, answer="r"))["id"]
        left = (await it.ask({"input": "left", "previous_response_id": root}, answer="l"))["id"]
        await it.ask({"input": "right", "previous_response_id": root})
        assert it.sent["input"] == [said("root"), answered("r"), said("right")]
        await it.ask({"input": "on", "previous_response_id": left})
        assert it.sent["input"] == [
            said("root"), answered("r"), said("left"), answered("l"), said("on"),
        ]  # fmt: skip


async def test_instructions_and_tools_are_those_of_the_new_request() -> None:
    """As at OpenAI, only the items go on."""
    async with gate() as it:
        tools = [{"type": "function", "name": "f"}]
        one = await it.ask({"input": "hi", "instructions": "be kind", "tools": tools})
        await it.ask({"input": "on", "previous_response_id": one["id"]})

        assert dict(it.sent) == {"input": [said("hi"), answered("well"), said("on")]}


async def test_ids_are_the_gateways_own_where_the_provider_keeps_nothing() -> None:
    """Servers that count their answers, and begin anew, mix up no conversations."""
    async with gate() as it:
        ids = [(await it.ask({"input": "hi"}))["id"] for _ in range(3)]

    assert len({*ids}) == 3
    assert all(one.startswith(OURS) and len(one) <= 64 for one in ids)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_provider_that_keeps_its_response_keeps_its_id(stream: bool) -> None:
    """Every byte is its own, and it can be asked by that id again; others get the items."""
    thought = {"type": "reasoning", "id": "rs_1", "summary": []}
    document = response_document("m", "one")
    document["output"].insert(0, thought)
    async with gate() as it:
        one = await it.ask(
            {"input": "hi", "stream": stream}, answer=document, store=True, models=(GPT,)
        )
        assert one == {**document, "store": True}
        assert not stream or b"".join(it.chunks) == b"".join(events_of(one))

        await it.ask({"input": "on", "previous_response_id": "resp_1"}, models=(GPT,))
        whole = [said("hi"), answered("one"), said("on")]
        assert it.sent["input"] == whole
        assert it.seen[-1].state[Continued] == Continued("resp_1", GPT, "on", whole)
        assert it.sent["input"] is it.seen[-1].state[Continued].whole


async def test_thoughts_go_on_where_only_the_gateway_keeps_them() -> None:
    """Some models want theirs back in the middle of a tool loop."""
    summary = [{"type": "summary_text", "text": "hm"}]
    document = response_document("m", "one")
    document["output"].insert(0, {"type": "reasoning", "id": "rs_1", "summary": summary})
    async with gate() as it:
        one = await it.ask({"input": "hi"}, answer=document)
        await it.ask({"input": "on", "previous_response_id": one["id"]})

        assert it.sent["input"][1] == {"type": "reasoning", "summary": summary}
        assert it.seen[-1].state.get(Continued) is None


@pytest.mark.parametrize("previous", ["resp_1", f"{OURS}0000"])
async def test_an_unknown_response_is_an_error(previous: str) -> None:
    """Of OpenAI's status and code: a client must not go on as if it had a history."""
    async with gate() as it:
        answer = await it.ask({"input": "on", "previous_response_id": previous})

        assert it.seen[-1].request.payload["previous_response_id"] == previous
        assert answer["error"]["code"] == NOT_FOUND
        assert answer["error"]["param"] == "previous_response_id"
        assert answer["error"]["message"].startswith(f"Previous response with id '{previous}' not")
        assert it.count("lookups", "miss") == 1


async def test_a_provider_may_know_what_the_gateway_does_not() -> None:
    """Its own ids pass untouched; as nobody here knows what was said, nothing is kept."""
    async with gate() as it:
        body = {"input": "on", "previous_response_id": "resp_elsewhere"}
        answer = await it.ask(body, models=(GPT,), store=True)

        assert dict(it.sent) == body
        assert answer["id"] == "resp_1"
        assert it.told == ["not kept here; left to the provider"]
        again = await it.ask({"input": "on", "previous_response_id": f"{OURS}1"}, models=(GPT,))
        assert again["error"]["code"] == NOT_FOUND


@pytest.mark.parametrize(
    "body",
    [
        {"store": False},
        {"conversation": "conv_1"},
        {"prompt": {"id": "pmpt_1"}},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
        {"input": [{"id": "msg_1"}]},
        {"input": {"role": "user"}},
    ],
)
async def test_what_is_not_to_be_kept_or_not_known_is_not_kept(body: dict[str, Any]) -> None:
    """`store: false` is the client's wish; the others refer to what only the provider has."""
    async with gate() as it:
        answer = await it.ask({"input": "hi", **body})
        assert answer == response_document("m", "well")
        assert it.told == []
        assert it.count("writes", "kept") == 0


@pytest.mark.parametrize("model", [GPT, CLAUDE])
async def test_store_true_is_the_gateways_to_do_where_the_provider_cannot(model: str) -> None:
    """A translator would report it as dropped; a provider that speaks Responses gets it."""
    async with gate() as it:
        await it.ask({"input": "hi", "store": True}, models=(model,))

        assert ("store" in it.sent) is (model == GPT)
        assert it.count("writes", "kept") == 1


async def test_store_false_continues_and_is_not_continued() -> None:
    """A last turn that leaves nothing behind."""
    async with gate() as it:
        one = await it.ask({"input": "hi"})
        await it.ask({"input": "on", "previous_response_id": one["id"], "store": False})

        assert it.sent["input"] == [said("hi"), answered("well"), said("on")]
        assert it.count("writes", "kept") == 1


async def test_a_conversation_belongs_to_who_began_it() -> None:
    """To others, and in another tenant, it is not there."""
    more = "routing: {session_cache: {tenant_header: x-tenant}}"
    async with gate(more=more) as it:
        one = await it.ask({"input": "hi"}, principal="ann", headers={"x-tenant": "acme"})
        body = {"input": "on", "previous_response_id": one["id"]}
        others: list[dict[str, Any]] = [
            {"principal": "bob", "headers": {"x-tenant": "acme"}},
            {"principal": "ann", "headers": {"x-tenant": "other"}},
            {"principal": "ann"},
            {"headers": {"x-tenant": "acme"}},
        ]
        for other in others:
            assert (await it.ask(body, **other))["error"]["code"] == NOT_FOUND
        assert "error" not in await it.ask(body, principal="ann", headers={"x-tenant": "acme"})


async def test_a_response_ends_with_its_time() -> None:
    """Then it is gone like one that never was."""
    clock = FakeClock()
    async with gate(ConversationStateConfig(ttl=60), clock=clock) as it:
        one = await it.ask({"input": "hi"})
        await clock.sleep(59)
        assert "error" not in await it.ask({"input": "a", "previous_response_id": one["id"]})
        await clock.sleep(1)
        gone = await it.ask({"input": "b", "previous_response_id": one["id"]})
        assert gone["error"]["code"] == NOT_FOUND


async def test_a_conversation_that_is_too_long_is_answered_and_not_kept() -> None:
    """The client sees that at once: `store` is false."""
    async with gate(ConversationStateConfig(max_entry_bytes=1024)) as it:
        answer = await it.ask({"input": "x" * 1024})

        assert answer["store"] is False
        assert it.count("writes", "size") == 1
        assert it.told[0].startswith("not kept: ")


@pytest.mark.parametrize("last", ["incomplete", "failed", "in_progress"])
async def test_how_a_response_ended_decides(last: str) -> None:
    """One that met its limit can be continued; one that failed, or has not ended, cannot."""
    async with gate() as it:
        document = response_document("m", "half", last)
        for body in ({"input": "hi"}, {"input": "hi", "stream": True}):
            it.serve.chunks = events_of(document, last)
            await it.ask(body, answer=document)

        assert it.count("writes", "kept") == (2 if last == "incomplete" else 0)


async def test_a_call_that_was_cut_short_does_not_go_on() -> None:
    """Nobody can have run it, and providers want an output for every call."""
    document = response_document("m", "half", "incomplete")
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": '{"'}
    document["output"].append({**call, "status": "incomplete"})
    async with gate() as it:
        one = await it.ask({"input": "hi"}, answer=document)
        await it.ask({"input": "on", "previous_response_id": one["id"]})

        assert [item["type"] for item in it.sent["input"]] == ["message"] * 3


async def test_a_stream_that_breaks_off_leaves_nothing() -> None:
    """What was received of it goes on; it is no answer."""
    async with gate() as it:
        it.serve.chunks = events_of(response_document("m"))[:2]
        it.serve.error = UpstreamFailed("broke off")
        with pytest.raises(UpstreamFailed):
            await it.ask({"input": "hi", "stream": True})

        assert len(it.chunks) == 2
        assert it.count("writes", "kept") == 0


async def test_an_error_is_no_answer() -> None:
    """Nothing is kept of a request that failed."""
    async with gate() as it:
        it.serve.status = 429
        await it.ask({"input": "hi"})
        assert it.count("writes", "kept") == 0


async def test_a_compressed_answer_passes_unread() -> None:
    """Nobody asked for that; it is said, and the answer is not touched."""
    async with gate() as it:
        it.serve.headers = {"content-encoding": "gzip"}
        answer = await it.ask({"input": "hi"})
        assert answer["id"] == "resp_1"
        assert it.count("writes", "compressed") == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "hi", "previous_response_id": 7}, "previous_response_id"),
        ({"input": 7, "previous_response_id": "resp_1"}, "input"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(body: dict[str, Any], param: str) -> None:
    """By the field at fault."""
    async with gate() as it:
        answer = await it.ask(body)
        assert answer["error"]["param"] == param
        assert answer["error"]["type"] == "invalid_request_error"


async def test_other_endpoints_are_not_concerned() -> None:
    """A chat request may have a field of that name."""
    async with gate() as it:
        body = {"messages": [], "previous_response_id": "x"}
        answer = await it.ask(body, path="/v1/chat/completions")
        assert answer["id"] == "resp_1"
        assert dict(it.sent) == body


async def test_a_reload_keeps_what_is_kept() -> None:
    """Also one that changes how much that may be; what is too much goes."""
    shared = Shared()
    async with gate(shared=shared) as old:
        one = await old.ask({"input": "hi"})
        two = await old.ask({"input": "hi"})
        async with gate(ConversationStateConfig(max_entries=1), shared=shared) as new:
            assert (await lost(new, one["id"]), await lost(new, two["id"])) == (True, False)


async def test_an_explanation_counts_nothing() -> None:
    """It looks, and leaves no trace."""
    async with gate() as it:
        one = await it.ask({"input": "hi"})
        body = {"input": "on", "previous_response_id": one["id"], "store": False}
        await it.ask(body, dry_run=True)

        assert it.sent["input"] == [said("hi"), answered("well"), said("on")]
        assert it.count("lookups", "hit") == 0


async def lost(it: Gate, response_id: str) -> bool:
    """Say whether a response cannot be continued."""
    answer = await it.ask({"input": "on", "previous_response_id": response_id, "store": False})
    return "error" in answer
