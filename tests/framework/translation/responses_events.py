"""Checks of the events of a Response: the SDK's own types, and the grammar between them."""

from __future__ import annotations

from typing import Any, Final, get_args

from openai.types.responses import Response, ResponseStreamEvent

_CLASSES: Final[dict[str, Any]] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind
    for kind in get_args(get_args(ResponseStreamEvent)[0])
}
"""The SDK's class of each event."""
_ENDS: Final = ("response.completed", "response.incomplete")


def check_response(document: dict[str, Any]) -> None:
    """Check a Response against the SDK's type, without conversions."""
    Response.model_validate(document, strict=True)


def check_stream(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Check every event and their order; return the response at the end."""
    for event in events:
        _CLASSES[event["type"]].model_validate(event, strict=True)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] in _ENDS
    assert not {"response.created", "response.in_progress", *_ENDS} & set(kinds[2:-1])
    last: dict[str, Any] = events[-1]["response"]
    assert f"response.{last['status']}" == kinds[-1]
    by_item: dict[int, list[dict[str, Any]]] = {}
    for event in events[2:-1]:
        by_item.setdefault(event["output_index"], []).append(event)
    assert sorted(by_item) == list(range(len(last["output"])))
    for index, of_item in by_item.items():
        _check_item(of_item, last["output"][index])
    identities = [item["id"] for item in last["output"]]
    assert len(set(identities)) == len(identities)
    assert all(len(identity) <= 64 for identity in [last["id"], *identities])
    return last


def _check_item(events: list[dict[str, Any]], item: dict[str, Any]) -> None:
    first, *between, done = events
    assert (first["type"], done["type"]) == (
        "response.output_item.added",
        "response.output_item.done",
    )
    assert done["item"] == item
    assert first["item"]["id"] == item["id"]
    assert first["item"].get("status", "in_progress") == "in_progress"
    assert {event["item_id"] for event in between} <= {item["id"]}
    kinds = [event["type"].removeprefix("response.") for event in between]
    if item["type"] == "message":
        _check_parts(between, item["content"])
    elif item["type"] == "reasoning":
        name = "reasoning_summary"
        assert kinds[0] == f"{name}_part.added"
        assert kinds[-2:] == [f"{name}_text.done", f"{name}_part.done"]
        assert set(kinds[1:-2]) == {f"{name}_text.delta"}
        assert _joined(between[1:-2]) == item["summary"][0]["text"]
    else:
        custom = item["type"] == "custom_tool_call"
        name = "custom_tool_call_input" if custom else "function_call_arguments"
        field = "input" if custom else "arguments"
        assert kinds[-1] == f"{name}.done"
        assert set(kinds[:-1]) <= {f"{name}.delta"}
        assert _joined(between[:-1]) == item[field] == between[-1][field]


def _check_parts(events: list[dict[str, Any]], parts: list[dict[str, Any]]) -> None:
    at = -1
    open_part: list[dict[str, Any]] = []
    for event in events:
        kind = event["type"].removeprefix("response.")
        if kind == "content_part.added":
            assert not open_part
            at += 1
        assert event["content_index"] == at
        open_part.append(event)
        if kind == "content_part.done":
            name, field = (
                ("refusal", "refusal")
                if event["part"]["type"] == "refusal"
                else ("output_text", "text")
            )
            deltas = [e for e in open_part if e["type"] == f"response.{name}.delta"]
            assert open_part[-2]["type"] == f"response.{name}.done"
            assert _joined(deltas) == open_part[-2][field] == event["part"][field]
            assert event["part"] == parts[at]
            open_part = []
    assert not open_part
    assert at == len(parts) - 1


def _joined(events: list[dict[str, Any]]) -> str:
    return "".join(event["delta"] for event in events)
