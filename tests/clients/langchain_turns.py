"""The turns of `turns.py` by LangChain, in every dialect and with every model: it imports slowly.

python langchain_turns.py GATEWAY MODEL...
"""

from __future__ import annotations

import json
import sys
from typing import Any

from langchain_anthropic import ChatAnthropic  # type: ignore[import-not-found]
from langchain_core.messages import HumanMessage, ToolMessage  # type: ignore[import-not-found]
from langchain_openai import ChatOpenAI  # type: ignore[import-not-found]

GATEWAY, MODELS = sys.argv[1], sys.argv[2:]
KEY = "sk-client"


def weather(city: str) -> str:
    """Say the weather."""
    return f"rain in {city}"


def made(kind: str, model: str) -> Any:
    """Return LangChain's model for a dialect."""
    common: dict[str, Any] = {"model": model, "api_key": KEY, "max_retries": 0}
    if kind == "messages":
        return ChatAnthropic(base_url=GATEWAY, max_tokens=100, **common)
    responses = kind == "responses"
    return ChatOpenAI(
        base_url=f"{GATEWAY}/v1", stream_usage=True, use_responses_api=responses, **common
    )


def turns(kind: str, model: str) -> dict[str, Any]:
    """Take the turns in one dialect."""
    chat, hello = made(kind, model), HumanMessage("Hello")
    streamed, whole = "", None
    for chunk in chat.stream([hello]):
        streamed += chunk.text
        whole = chunk if whole is None else whole + chunk
    armed = chat.bind_tools([weather])
    first = armed.invoke([hello])
    call = first.tool_calls[0]
    result = ToolMessage("rain", tool_call_id=call["id"])
    return {
        "plain": chat.invoke([hello]).text,
        "streamed": streamed,
        "tokens": whole.usage_metadata["output_tokens"] if whole else None,
        "call": [call["name"], call["args"]],
        "last": armed.invoke([hello, first, result]).text,
        "error": failure(kind),
    }


def failure(kind: str) -> dict[str, Any] | None:
    """Return what LangChain raises for a model that nobody declared."""
    try:
        made(kind, "nobody/none").invoke("Hello")
    except Exception as error:
        return {"status": getattr(error, "status_code", None), "message": str(error)}
    return None


KINDS = ("chat", "responses", "messages")
told = {f"{kind} {model}": turns(kind, model) for kind in KINDS for model in MODELS}
print(json.dumps(told))  # noqa: T201
