"""The prompts against their sources, word for word."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.classify.routers.prompts import TEMPLATES, Template, find
from plano_builtin_filters.classify.routers.protocol import OTHER, RouteOption, Turn

# The model card of Arch-Router-1.5B.
ARCH = """\

You are a helpful assistant designed to find the best suited route.
You are provided with route description within <routes></routes> XML tags:
<routes>

{routes}

</routes>

<conversation>

{conversation}

</conversation>

Your task is to decide which route is best suit with user intent on the conversation in <conversation></conversation> XML tags.  Follow the instruction:
1. If the latest intent from user is irrelevant or user intent is full filled, response with other route {"route": "other"}.
2. You must analyze the route descriptions and find the best match route for user latest intent.
3. You only response the name of the route that best matches the user's request, use the exact name in the <routes></routes>.

Based on your analysis, provide your response in the following JSON formats if you decide to match any route:
{"route": "route_name"}
"""  # noqa: E501 - word for word

# Plano's orchestrator; the doubled braces are sent as they stand here.
PLANO = """\

You are a helpful assistant that selects the most suitable routes based on user intent.
You are provided with a list of available routes enclosed within <routes></routes> XML tags:
<routes>
{routes}
</routes>

You are also given the conversation context enclosed within <conversation></conversation> XML tags:
<conversation>
{conversation}
</conversation>

## Instructions
1. Analyze the latest user intent from the conversation.
2. Compare it against the available routes to find which routes can help fulfill the request.
3. Respond only with the exact route names from <routes>.
4. If no routes can help or the intent is already fulfilled, return an empty list.

## Response Format
Return your answer strictly in JSON as follows:
{{"route": ["route_name_1", "route_name_2", "..."]}}
If no routes are needed, return an empty list for `route`.
"""

ROUTES = (
    RouteOption("Image generation", "generating image"),
    RouteOption("café", 'small "talk", it\'s said'),
)
TURNS = (Turn("user", "draw a café\n"), Turn("assistant", "which one?"), Turn("user", "any"))
ARCH_ROUTES = (
    '[{"name": "Image generation", "description": "generating image"}, '
    '{"name": "caf\\u00e9", "description": "small \\"talk\\", it\'s said"}]'
)
ARCH_CONVERSATION = (
    '[{"role": "user", "content": "draw a caf\\u00e9\\n"}, '
    '{"role": "assistant", "content": "which one?"}, {"role": "user", "content": "any"}]'
)
PLANO_ROUTES = (
    '{"name": "Image generation", "description": "generating image", '
    '"parameters": {"type": "object", "properties": {}, "required": []}}\n'
    '{"name": "café", "description": "small \\"talk\\", it\'s said", '
    '"parameters": {"type": "object", "properties": {}, "required": []}}'
)
PLANO_CONVERSATION = """\
[
    {
        "role": "user",
        "content": "draw a café\\n"
    },
    {
        "role": "assistant",
        "content": "which one?"
    },
    {
        "role": "user",
        "content": "any"
    }
]"""


def golden(text: str, routes: str, conversation: str) -> str:
    """Fill a source's text in, in one go."""
    before, rest = text.split("{routes}")
    between, after = rest.split("{conversation}")
    return before + routes + between + conversation + after


def test_arch_router() -> None:
    """The prompt is the card's: blank lines, a double space, grammar, ASCII-escaped JSON."""
    prompt = TEMPLATES["arch-router"].prompt(TURNS, ROUTES)

    assert prompt.text == golden(ARCH, ARCH_ROUTES, ARCH_CONVERSATION)
    assert prompt.text.startswith("\nYou are")
    assert prompt.text.endswith('{"route": "route_name"}\n')
    assert "XML tags.  Follow" in prompt.text


def test_plano_orchestrator() -> None:
    """The prompt is Plano's: a route a line, an indented conversation, doubled braces."""
    prompt = TEMPLATES["plano-orchestrator"].prompt(TURNS, ROUTES)

    assert prompt.text == golden(PLANO, PLANO_ROUTES, PLANO_CONVERSATION)
    assert prompt.text.endswith("for `route`.\n")
    assert '{{"route": ["route_name_1"' in prompt.text


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=lambda template: template.name)
def test_the_head_is_the_same_for_every_question(template: Template) -> None:
    """What a router may remember of one question holds for the next one with the same routes."""
    one, two = template.prompt(TURNS, ROUTES), template.prompt(TURNS[:1], ROUTES)

    assert (one.head, one.tail) == (two.head, two.tail)
    assert one.conversation != two.conversation
    assert one.text == one.head + one.conversation + one.tail


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=lambda template: template.name)
def test_routes_stand_in_their_order(template: Template) -> None:
    """The order of the document is the order of the prompt, whichever it is."""
    names = [str(n) * 3 for n in (3, 1, 2, 9, 0)]
    head = template.prompt((), [RouteOption(name, "same") for name in names]).head

    assert sorted(names, key=head.index) == names


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=lambda template: template.name)
def test_placeholders_in_texts_are_not_expanded(template: Template) -> None:
    """What looks like a place to fill in, in a description or a message, is text."""
    odd = "{conversation} {routes} {0} %s {{x}}"
    prompt = template.prompt([Turn("user", odd)], [RouteOption(odd, odd)])

    assert prompt.text.count("{conversation}") == 3
    assert prompt.text.count("{routes}") == 3
    assert prompt.text.count("%s {{x}}") == 3


@given(st.text(), st.text(), st.text())
def test_texts_survive_in_the_prompt(name: str, description: str, words: str) -> None:
    """Routes and conversation are JSON: the model sees exactly what was configured and said."""
    arch = TEMPLATES["arch-router"]
    routes, turns = [RouteOption(name, description)], [Turn("user", words)]

    assert json.loads(arch.routes(routes)) == [{"name": name, "description": description}]
    assert json.loads(arch.conversation(turns)) == [{"role": "user", "content": words}]
    plano = TEMPLATES["plano-orchestrator"]
    row = json.loads(plano.routes(routes))
    assert (row["name"], row["description"]) == (name, description)
    assert json.loads(plano.conversation(turns)) == [{"role": "user", "content": words}]


@pytest.mark.parametrize(
    ("template", "name", "reply"),
    [
        ("arch-router", "code", '{"route": "code"}'),
        ("arch-router", "café", '{"route": "caf\\u00e9"}'),
        ("arch-router", OTHER, '{"route": "other"}'),
        ("plano-orchestrator", "code", '{"route": ["code"]}'),
        ("plano-orchestrator", "café", '{"route": ["café"]}'),
        ("plano-orchestrator", OTHER, '{"route": []}'),
    ],
)
def test_legal_replies(template: str, name: str, reply: str) -> None:
    """Each family answers in its own form, and says in its own way that no route fits."""
    assert find(template).reply(name) == reply


@pytest.mark.parametrize(
    ("model", "template", "context"),
    [
        ("katanemo/Arch-Router-1.5B", "arch-router", 2048),
        ("arch-router:latest", "arch-router", 2048),
        ("some-other-model", "arch-router", 2048),
        ("katanemo/Plano-Orchestrator-4B-FP8", "plano-orchestrator", 8192),
        ("plano-orchestrator", "plano-orchestrator", 8192),
    ],
)
def test_the_template_of_a_model(model: str, template: str, context: int) -> None:
    """A model's name says how it wants to be asked, and how much it can read."""
    found = find(model)

    assert (found.name, found.context) == (template, context)
