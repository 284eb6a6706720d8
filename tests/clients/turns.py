"""One text turn and one tool turn, plain and streamed, by a vendor's SDK of any major version.

python turns.py KIND GATEWAY MODEL

KIND: chat, responses or messages. Prints one JSON object: what the SDK made of each turn.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

KIND, GATEWAY, MODEL = sys.argv[1:4]
KEY = "sk-client"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]


def chat() -> dict[str, Any]:
    """Speak chat completions with `openai`."""
    import openai  # noqa: PLC0415 - whichever version is in front

    client = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY, max_retries=0)
    ask: Any = client.chat.completions.create
    tools = [{"type": "function", "function": {"name": "weather", "parameters": CITY}}]
    streamed, tokens = "", None
    options = {"include_usage": True}
    for chunk in ask(model=MODEL, messages=HELLO, stream=True, stream_options=options):
        streamed += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        tokens = chunk.usage.completion_tokens if chunk.usage else tokens
    message = ask(model=MODEL, messages=HELLO, tools=tools).choices[0].message
    call = message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
    history = [*HELLO, message.model_dump(exclude_none=True), result]
    return {
        "version": openai.__version__,
        "plain": ask(model=MODEL, messages=HELLO).choices[0].message.content,
        "streamed": streamed,
        "tokens": tokens,
        "call": [call.function.name, json.loads(call.function.arguments)],
        "last": ask(model=MODEL, messages=history, tools=tools).choices[0].message.content,
        "error": failure(lambda: ask(model="nobody/none", messages=HELLO)),
    }


def responses() -> dict[str, Any]:
    """Speak Responses with `openai`."""
    import openai  # noqa: PLC0415 - whichever version is in front

    client = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY, max_retries=0)
    ask: Any = client.responses.create
    tools = [{"type": "function", "name": "weather", "parameters": CITY, "strict": False}]
    streamed, tokens = "", None
    for event in ask(model=MODEL, input="Hello", stream=True):
        streamed += event.delta if event.type == "response.output_text.delta" else ""
        tokens = (
            event.response.usage.output_tokens if event.type == "response.completed" else tokens
        )
    first = ask(model=MODEL, input="Hello", tools=tools)
    call = next(item for item in first.output if item.type == "function_call")
    made = {"type": "function_call", "call_id": call.call_id, "name": call.name,
            "arguments": call.arguments}  # fmt: skip
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    return {
        "version": openai.__version__,
        "plain": ask(model=MODEL, input="Hello").output_text,
        "streamed": streamed,
        "tokens": tokens,
        "call": [call.name, json.loads(call.arguments)],
        "last": ask(model=MODEL, input=[*HELLO, made, output], tools=tools).output_text,
        "error": failure(lambda: ask(model="nobody/none", input="Hello")),
    }


def messages() -> dict[str, Any]:
    """Speak Messages with `anthropic`."""
    import anthropic  # noqa: PLC0415 - whichever version is in front

    client = anthropic.Anthropic(base_url=GATEWAY, api_key=KEY, max_retries=0)
    ask: Any = client.messages.create
    tools: Any = [{"name": "weather", "description": "Say the weather", "input_schema": CITY}]

    def text(message: Any) -> str:
        return "".join(block.text for block in message.content if block.type == "text")

    with client.messages.stream(model=MODEL, max_tokens=100, messages=HELLO) as stream:
        streamed = "".join(stream.text_stream)
        tokens = stream.get_final_message().usage.output_tokens
    first = ask(model=MODEL, max_tokens=100, messages=HELLO, tools=tools)
    call = next(block for block in first.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}
    said = [block.model_dump(exclude_none=True) for block in first.content]
    history = [
        *HELLO,
        {"role": "assistant", "content": said},
        {"role": "user", "content": [result]},
    ]
    return {
        "version": anthropic.__version__,
        "plain": text(ask(model=MODEL, max_tokens=100, messages=HELLO)),
        "streamed": streamed,
        "tokens": tokens,
        "call": [call.name, call.input],
        "last": text(ask(model=MODEL, max_tokens=100, messages=history, tools=tools)),
        "error": failure(lambda: ask(model="nobody/none", max_tokens=100, messages=HELLO)),
    }


def failure(call: Callable[[], object]) -> dict[str, Any] | None:
    """Return what the SDK raises, as it shows it."""
    try:
        call()
    except Exception as error:
        return {"status": getattr(error, "status_code", None), "message": str(error)}
    return None


print(json.dumps({"chat": chat, "responses": responses, "messages": messages}[KIND]()))  # noqa: T201
