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
  - {model: mock/coder}
  - {model: mock/writer}
  - {model: mock/mathematician}
  - {model: mock/translator}
  - {model: mock/editor}
model_aliases:
  fast-model: {target: mock/fast}
routing_preferences:
  - name: programming
    description: writing, explaining and debugging code, scripts and database queries
    models: [mock/coder]
  - name: creative writing
    description: stories, poems, song lyrics, slogans and other imaginative text
    models: [mock/writer]
  - name: mathematics
    description: calculations, word problems, equations, proofs and statistics
    models: [mock/mathematician]
  - name: translation
    description: translating text from one language into another
    models: [mock/translator]
  - name: summaries
    description: summarizing articles, reports, meetings and long threads
    models: [mock/editor]
filters:
  - alias
  - affinity
  - classify
  - upstream
"""
PROMPTS: Final = {
    "programming": "my python script dies with KeyError: 'id' when the list is empty",
    "creative writing": "a short ballad about a lighthouse keeper who collects clocks",
    "mathematics": "a train covers 240 km in 2.5 hours; how far does it get in 7 hours?",
    "translation": "how do I say where is the nearest pharmacy in Portuguese",
    "summaries": "give me the five main points of the minutes below",
}
"""One for each route of the document."""

_WELCOME: Final = """\
plano-filters demo: {url}/v1 answers, no key needed. Ctrl-C stops it.

  models   mock/fast, mock/smart (the default), fast-model (an alias of mock/fast)
  routes   programming, creative writing, mathematics, translation, summaries
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

4. Prompts that go to five models, because of what they are about:

  for prompt in {prompts}; do
    curl -s -o /dev/null {url}/v1/chat/completions -H 'content-type: application/json' \\
      -d '{{"messages": [{{"role": "user", "content": "'"$prompt"'"}}]}}'
  done

5. What would be done with a request, filter by filter, and why. Nobody is asked:

  {command} demo --print > demo.yaml
  {command} explain {ballad} --config demo.yaml

6. From Python, with the OpenAI SDK:

  from openai import OpenAI
  client = OpenAI(base_url="{url}/v1", api_key="none")
  hello = [{{"role": "user", "content": "Hello"}}]
  print(client.chat.completions.create(model="fast-model", messages=hello).choices[0].message)

7. From Claude Code, or with the Anthropic SDK at the same address:

  ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN=none ANTHROPIC_MODEL=mock/smart \\
    ANTHROPIC_SMALL_FAST_MODEL=mock/fast claude -p Hello
"""


def welcome(url: str, admin: str | None, command: str = "plano-filters") -> str:
    """Return what the demo prints when it is ready.

    Args:
        url: Of the gateway, without `/v1`.
        admin: Of the admin listener; None if it is off.
        command: How a shell finds the command of this package.
    """
    quoted = {name: f'"{prompt}"' for name, prompt in PROMPTS.items()}
    prompts = " \\\n    ".join(quoted.values())
    metrics = f"{admin}/metrics" if admin else "off"
    ballad = quoted["creative writing"]
    return _WELCOME.format(
        url=url, metrics=metrics, prompts=prompts, ballad=ballad, command=command
    )
