"""Requests as clients send them, of every kind that decides which model answers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.examples import KEY

PROMPTS = (
    "Write a Python function that sorts a list of numbers.",
    "Write a haiku about the first snow.",
    "Summarize this long article about the history of tea in three sentences.",
    "What is the capital of Norway?",
    "Prove that the square root of two is irrational, step by step.",
    "Review this diff and find the mistake in it.",
    "Hello there!",
    "My parcel never arrived.",
    "Refactor this class so that it is easier to test.",
    "Tell me a story about a lighthouse keeper.",
)
DIALECTS = ("/v1/chat/completions", "/v1/messages", "/v1/responses")
PIXEL = "iVBORw0KGgo="
IMAGES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{PIXEL}"},
    },
    "/v1/messages": {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
    },
}
OBJECT: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
TOOLS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "type": "function",
        "function": {"name": "weather", "parameters": OBJECT},
    },
    "/v1/messages": {"name": "weather", "input_schema": OBJECT},
    "/v1/responses": {"type": "function", "name": "weather", "parameters": OBJECT},
}
NAMED: dict[str, Any] = {"name": "n", "schema": OBJECT}
FORMATS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"response_format": {"type": "json_schema", "json_schema": NAMED}},
    "/v1/messages": {"output_config": {"format": {"type": "json_schema", "schema": OBJECT}}},
    "/v1/responses": {"text": {"format": {"type": "json_schema", **NAMED}}},
}
"""What each API calls the same. Any provider can be asked all of it, translated or not."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]


def request(source: random.Random, names: Sequence[str]) -> Sent:
    """Return a request.

    Args:
        source: Decides everything about it.
        names: Models and aliases that the gateway declares.
    """
    path = source.choice(DIALECTS)
    body: dict[str, Any] = _said(source, path)
    model = source.choice([*names, *names, "auto", "", "gpt-99", "x" * 300, None, None])
    if model is not None:
        body["model"] = model
    if source.random() < 0.4:
        body["routing_preferences"] = _preferences(source, names)
    if source.random() < 0.2:
        body["tools"] = [TOOLS[path]]
    if source.random() < 0.1:
        body |= FORMATS[path]
    if source.random() < 0.1 and path == DIALECTS[0]:
        body["stream"] = True
    return Sent(path, body, _headers(source))


def _said(source: random.Random, path: str) -> dict[str, Any]:
    text = source.choice(PROMPTS)
    if path == "/v1/responses":
        return {"input": text}
    content: Any = text
    if source.random() < 0.15:
        content = [{"type": "text", "text": text}, IMAGES[path]]
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if source.random() < 0.3:
        earlier = {"role": "user", "content": source.choice(PROMPTS)}
        messages = [earlier, {"role": "assistant", "content": "I see."}, *messages]
    if source.random() < 0.1:
        messages = [{"role": "user", "content": [IMAGES[path]]}]  # and no word
    return {"messages": messages, "max_tokens": 16}


def _preferences(source: random.Random, names: Sequence[str]) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = [
        {
            "name": "poetry",
            "description": "poems, haiku and other verse",
            "models": list(names[:2]),
        },
        {
            "name": "programs",
            "description": "writing and reviewing program code",
            "models": [source.choice(names)],
            "selection_policy": {"prefer": source.choice(["cheapest", "fastest", "none"])},
        },
    ]
    wrong = {"name": "wrong", "description": "names a model nobody has", "models": ["gpt-99"]}
    return source.choice([[], rows, rows[:1], rows[1:], [*rows, wrong]])


def _headers(source: random.Random) -> dict[str, str]:
    headers = {"authorization": f"Bearer {KEY}", "x-org-id": source.choice(["acme", "other"])}
    if source.random() < 0.4:
        headers["x-model-affinity"] = source.choice(["one", "two", "three"])
    if source.random() < 0.1:
        headers["x-plano-fallback"] = "off"
    if source.random() < 0.1:
        headers["x-plano-cache"] = "off"
    if source.random() < 0.05:
        headers["authorization"] = "Bearer of-nobody"
    return headers
