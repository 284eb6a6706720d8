"""The demo: a document that needs no key, and what to type once it is served."""

from __future__ import annotations

from typing import Final

DOCUMENT: Final = """\
version: v0.4.0
listeners:
  - {type: model, name: demo, address: 127.0.0.1, port: 12000}
model_providers:
  - {model: mock/fast}
  - {model: mock/smart, default: true}
model_aliases:
  fast-model: {target: mock/fast}
filters:
  - alias
  - upstream
"""

_WELCOME: Final = """\
plano-filters demo: {url}/v1 answers, no key needed. Ctrl-C stops it.

  models   mock/fast, mock/smart (the default), fast-model (an alias of mock/fast)
  metrics  {metrics}

Type this in another terminal. Each request prints its way through the chain here.

1. An answer:

  curl {url}/v1/chat/completions -H 'content-type: application/json' -d '{{
    "model": "fast-model", "messages": [{{"role": "user", "content": "Hello"}}]}}'

2. The same, streamed:

  curl -N {url}/v1/chat/completions -H 'content-type: application/json' -d '{{
    "model": "fast-model", "messages": [{{"role": "user", "content": "Hello"}}], "stream": true}}'

3. mock/fast is told to fail: it is tried twice, then mock/smart answers.

  curl -i {url}/v1/chat/completions -H 'content-type: application/json' \\
    -H 'x-mock-status: 429' -H 'x-mock-model: fast' -d '{{
    "model": "fast-model", "messages": [{{"role": "user", "content": "Hello"}}]}}'

4. From Python, with the OpenAI SDK:

  from openai import OpenAI
  client = OpenAI(base_url="{url}/v1", api_key="none")
  hello = [{{"role": "user", "content": "Hello"}}]
  print(client.chat.completions.create(model="fast-model", messages=hello).choices[0].message)
"""


def welcome(url: str, admin: str | None) -> str:
    """Return what the demo prints when it is ready.

    Args:
        url: Of the gateway, without `/v1`.
        admin: Of the admin listener; None if it is off.
    """
    return _WELCOME.format(url=url, metrics=f"{admin}/metrics" if admin else "off")
