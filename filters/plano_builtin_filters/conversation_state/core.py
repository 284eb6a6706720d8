"""What a conversation of the Responses API consists of, and how it is written down.

Source: OpenAI's API reference, "Create a model response", and its guide "Conversation state": a
response continues the items of the one before, and nothing else of it. Instructions and tools are
those of the new request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import orjson

from plano_filters.jsonbody import encode as encode_json

OURS: Final = "resp_plano_"
"""Begins the ids that the gateway gives to responses."""
LONGEST_ID: Final = 256
"""Characters. OpenAI's have about 50."""
ENDED: Final = ("completed", "incomplete")
"""The statuses of a response that can be continued."""
_ELSEWHERE: Final = ("conversation", "prompt")
"""Fields that stand for items which only the provider knows."""
_CALLS: Final = ("function_call", "custom_tool_call")
_UNNAMED: Final = (*_CALLS, "message", "reasoning")
"""Items that need no id as input. With one, OpenAI looks for the item in its own store."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A response that can be continued."""

    items: list[Any]
    """The whole conversation, its answer included."""
    by: str | None = None
    """The model whose provider keeps the response too, under the same id; None for no provider."""


def items_of(given: object) -> list[Any] | None:
    """Return the `input` of a request as items; None if it is none."""
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if given is None:
        return []
    return list(given) if isinstance(given, list) else None


def is_whole(payload: Mapping[str, Any], items: Sequence[Any]) -> bool:
    """Say whether a request itself says what the conversation is.

    Args:
        payload: The request.
        items: Its items; a reference to one that the provider keeps says nothing.
    """
    if any(payload.get(name) is not None for name in _ELSEWHERE):
        return False
    return not any(_is_reference(item) for item in items)


def _is_reference(item: object) -> bool:
    if not isinstance(item, Mapping):
        return False
    kind = item.get("type")
    return kind == "item_reference" or (kind is None and "id" in item and "role" not in item)


def is_response(document: object) -> bool:
    """Say whether an answer is a response that has, or will have, an end."""
    return (
        isinstance(document, Mapping)
        and document.get("object") == "response"
        and isinstance(document.get("id"), str)
        and isinstance(document.get("output"), list)
    )


def portable(output: Sequence[Any], *, provider_keeps: bool) -> Iterator[Any]:
    """Yield the items of an answer as any provider takes them for input.

    Left out: calls that were cut short, since nobody can have run them; and the thoughts in a
    response that its provider keeps, since nobody else can read them.

    Args:
        output: The items.
        provider_keeps: Whether the provider goes by the response's id, too.
    """
    for item in output:
        kind = item.get("type") if isinstance(item, Mapping) else None
        if kind in _CALLS and item.get("status") == "incomplete":
            continue
        if kind == "reasoning" and provider_keeps:
            continue
        if kind in _UNNAMED:
            yield {name: value for name, value in item.items() if name != "id"}
        else:
            yield item


def key(response_id: str, *, principal: str | None, tenant: str) -> str:
    """Return the key of a response, without a store's own prefix.

    No two have one key, and it tells nothing.

    Args:
        response_id: As the client has it.
        principal: Who asks, if that is known.
        tenant: Value of the tenant header; empty for none.
    """
    return sha256(encode_json([principal, tenant, response_id])).hexdigest()


def encode(kept: Kept) -> bytes:
    """Write a conversation down.

    Raises:
        RecursionError: It is nested too deeply.
    """
    return encode_json({"items": kept.items, "by": kept.by})


def decode(raw: bytes) -> Kept | None:
    """Read a conversation; None if it is none. Whoever can write into a store is not trusted."""
    value = decode_json(raw)
    items, by = value.get("items"), value.get("by")
    if not isinstance(items, list) or not isinstance(by, str | None):
        return None
    return Kept(items, by)


def decode_json(data: bytes) -> dict[str, Any]:
    """Decode a JSON object; empty if it is none."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(data)  # takes what clients may send: lone surrogates, NaN
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}
