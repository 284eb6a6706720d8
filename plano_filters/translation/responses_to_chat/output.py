"""The items of a response's output, and the parts of a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plano_filters.translation.base import Document
from plano_filters.translation.responses_to_chat.echo import Status
from plano_filters.translation.responses_to_chat.tools import Origin


def message(item_id: str, parts: list[Document], status: Status) -> Document:
    """Return an answer in words."""
    return {
        "id": item_id, "type": "message", "status": status, "role": "assistant", "content": parts,
    }  # fmt: skip


def text_part(text: str, annotations: list[Document], logprobs: list[Document]) -> Document:
    """Return a text."""
    return {
        "type": "output_text", "annotations": annotations, "logprobs": logprobs, "text": text,
    }  # fmt: skip


def refusal_part(refusal: str) -> Document:
    """Return a refusal."""
    return {"type": "refusal", "refusal": refusal}


def reasoning(item_id: str, thoughts: str, *, done: bool = True) -> Document:
    """Return what was thought, as the summary that clients show."""
    summary = [{"type": "summary_text", "text": thoughts}] if done else []
    return {"id": item_id, "type": "reasoning", "summary": summary}


def call(item_id: str, call_id: str, origin: Origin, given: str, status: Status) -> Document:
    """Return a call of a tool, under the client's own name for it.

    Args:
        item_id: Of the item.
        call_id: Of the call; its output will name it.
        origin: The tool.
        given: The arguments of a function, or the input of a custom tool.
        status: How far it is.
    """
    kind = "custom_tool_call" if origin.custom else "function_call"
    made: Document = {
        "id": item_id, "type": kind, "status": status, "call_id": call_id, "name": origin.name,
        "input" if origin.custom else "arguments": given,
    }  # fmt: skip
    if origin.namespace is not None:
        made["namespace"] = origin.namespace
    return made


def arguments(given: str, status: Status) -> str:
    """Return the arguments of a function; some providers leave out those that are empty."""
    return "{}" if not given and status == "completed" else given


def prefix(origin: Origin) -> str:
    """Return how the ids of a tool's calls begin."""
    return "ctc" if origin.custom else "fc"


def citations(given: object) -> list[Document]:
    """Return the web citations among chat's annotations, flat as Responses have them."""
    found = []
    for annotation in given if isinstance(given, list) else []:
        cited = annotation.get("url_citation") if isinstance(annotation, Mapping) else None
        if isinstance(cited, Mapping) and isinstance(cited.get("url"), str):
            found.append({
                "type": "url_citation",
                "start_index": _index(cited, "start_index"),
                "end_index": _index(cited, "end_index"),
                "url": cited["url"],
                "title": cited["title"] if isinstance(cited.get("title"), str) else "",
            })  # fmt: skip
    return found


def logprobs(choice: Mapping[str, Any], kind: str = "content") -> list[Document]:
    """Return the probabilities of a choice's tokens; tokens that cannot be read are left out."""
    holder = choice.get("logprobs")
    given = holder.get(kind) if isinstance(holder, Mapping) else None
    found = []
    for token in given if isinstance(given, list) else []:
        if one := _logprob(token):
            top = token.get("top_logprobs")
            kept = [_logprob(other) for other in top] if isinstance(top, list) else []
            found.append(one | {"top_logprobs": [other for other in kept if other]})
    return found


def _logprob(token: object) -> Document | None:
    if not isinstance(token, Mapping) or not isinstance(token.get("token"), str):
        return None
    value, spelt = token.get("logprob"), token.get("bytes")
    if not isinstance(value, int | float):
        return None
    tokens = spelt if isinstance(spelt, list) else []
    return {"token": token["token"], "logprob": value, "bytes": tokens}


def _index(cited: Mapping[str, Any], name: str) -> int:
    value = cited.get(name)
    return value if isinstance(value, int) else 0
