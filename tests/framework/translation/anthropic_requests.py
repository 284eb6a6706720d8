"""Requests of Anthropic clients: good ones, as Hypothesis makes them, and broken ones."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
CACHED = st.sampled_from([{}, {}, {"cache_control": {"type": "ephemeral"}}])
TEXTS = st.builds(lambda text, cached: {"type": "text", "text": text, **cached}, WORDS, CACHED)
IMAGES = st.sampled_from([
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
    {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
])  # fmt: skip
DOCUMENTS = st.sampled_from([
    {"type": "document", "title": "a.pdf", "source": {
        "type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}},
])  # fmt: skip
THOUGHTS = st.sampled_from([
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "redacted_thinking", "data": "d"},
])  # fmt: skip
INPUTS = st.dictionaries(WORDS, st.none() | st.integers() | WORDS, max_size=2)
NAMES = st.sampled_from(["look", "find", "mcp__" + "long" * 20])
SPOKEN = st.lists(TEXTS | IMAGES | DOCUMENTS, min_size=1, max_size=3)
TOOLS = st.builds(
    lambda name: {"name": name, "input_schema": {"type": "object", "properties": {}}}, NAMES
)
SERVER_TOOLS = st.just({"type": "web_search_20250305", "name": "web_search"})


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw messages that Anthropic takes: every call has its result in the next user message."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": draw(WORDS | SPOKEN)}]
    for turn in range(draw(st.integers(0, 3))):
        said = draw(st.lists(TEXTS | THOUGHTS, max_size=2))
        used: list[dict[str, Any]] = [
            {"type": "tool_use", "id": f"t{turn}_{n}", "name": draw(NAMES), "input": draw(INPUTS)}
            for n in range(draw(st.integers(0, 3)))
        ]
        messages.append({"role": "assistant", "content": said + used})
        if draw(st.booleans()):
            messages.append({"role": "system", "content": draw(WORDS)})
        ids = draw(st.permutations([f"t{turn}_{n}" for n in range(len(used))]))
        results = [draw(results_of(call_id)) for call_id in ids]
        after = draw(st.lists(TEXTS | IMAGES, min_size=0 if results else 1, max_size=2))
        cut = draw(st.integers(0, len(results)))
        parts = (results[:cut], results[cut:] + after)
        messages += [{"role": "user", "content": part} for part in parts if part]
    return messages


@st.composite
def results_of(draw: st.DrawFn, call_id: str) -> dict[str, Any]:
    """Draw the result of a call."""
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id}
    if draw(st.booleans()):
        result["content"] = draw(WORDS | st.lists(TEXTS | IMAGES | DOCUMENTS, max_size=2))
    if draw(st.booleans()):
        result["is_error"] = draw(st.booleans())
    return result | draw(CACHED)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a request that Anthropic takes."""
    optional = {
        "system": WORDS | st.lists(TEXTS, min_size=1, max_size=2),
        "tools": st.lists(TOOLS | SERVER_TOOLS, max_size=3),
        "stop_sequences": st.lists(WORDS, max_size=6),
        "temperature": st.floats(0, 1),
        "top_k": st.integers(1, 9),
        "stream": st.booleans(),
        "thinking": st.sampled_from([
            {"type": "adaptive"}, {"type": "disabled"}, {"type": "enabled", "budget_tokens": 1024},
        ]),
        "output_config": st.sampled_from([{"effort": "high"}, {}]),
        "metadata": st.builds(lambda user: {"user_id": user}, WORDS),
        "context_management": st.just({"edits": []}),
    }  # fmt: skip
    asked = {name: draw(values) for name, values in optional.items() if draw(st.booleans())}
    if asked.get("tools"):
        asked["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": draw(st.booleans())}
    return {"model": "m", "max_tokens": 9, "messages": draw(conversations()), **asked}


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1.5, "", "x", [], {}, [[]], [{}], [None], {"type": {}}]
)


@st.composite
def broken_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a request in which a few values are odd, at any depth."""
    request = copy.deepcopy(draw(requests()))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = request
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys))
            below = place[key]
            if not isinstance(below, dict | list) or not below or draw(st.integers(0, 3)) == 0:
                place[key] = copy.deepcopy(draw(ODD))
                break
            place = below
    return request
