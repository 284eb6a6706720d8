"""The prompts that router models were trained on, word for word.

Grammar mistakes, double spaces, blank lines and doubled braces are part of them: a model answers
worse to a prompt that it has not seen. Sources: the model card of Arch-Router-1.5B, and Plano's
orchestrator.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from plano_builtin_filters.classify.routers.protocol import OTHER, RouteOption, Turn

TemplateName = Literal["arch-router", "plano-orchestrator"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """The one user message that is sent, in three parts."""

    head: str
    """Instructions and routes: the same for every question with one routing table."""
    conversation: str
    tail: str
    """What follows the conversation; the same for every question."""

    @property
    def text(self) -> str:
        """The whole message."""
        return self.head + self.conversation + self.tail


@dataclass(frozen=True, slots=True)
class Template:
    """How a family of models is asked, and how it answers."""

    name: TemplateName
    head: str
    """With `{routes}` where the routes go."""
    tail: str
    context: int
    """Tokens of prompt the family was trained for."""
    routes: Callable[[Sequence[RouteOption]], str]
    conversation: Callable[[Sequence[Turn]], str]
    reply: Callable[[str], str]
    """The answer that names a route. `OTHER` stands for the answer that none fits."""

    def prompt(self, turns: Sequence[Turn], routes: Sequence[RouteOption]) -> Prompt:
        """Write the message for some turns and routes."""
        head = self.head.replace("{routes}", self.routes(routes))
        return Prompt(head, self.conversation(turns), self.tail)


def find(model: str) -> Template:
    """Return the template of a model by its name: Arch-Router's unless it is an orchestrator."""
    return TEMPLATES["plano-orchestrator" if "orchestrator" in model.lower() else "arch-router"]


def _arch_routes(routes: Sequence[RouteOption]) -> str:
    return json.dumps([{"name": r.name, "description": r.description} for r in routes])


def _arch_conversation(turns: Sequence[Turn]) -> str:
    return json.dumps([{"role": turn.role, "content": turn.text} for turn in turns])


def _arch_reply(name: str) -> str:
    return json.dumps({"route": name})


def _plano_routes(routes: Sequence[RouteOption]) -> str:
    parameters = {"type": "object", "properties": {}, "required": []}
    rows = (
        {"name": r.name, "description": r.description, "parameters": parameters} for r in routes
    )
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def _plano_conversation(turns: Sequence[Turn]) -> str:
    rows = [{"role": turn.role, "content": turn.text} for turn in turns]
    return json.dumps(rows, indent=4, ensure_ascii=False)


def _plano_reply(name: str) -> str:
    return json.dumps({"route": [] if name == OTHER else [name]}, ensure_ascii=False)


_ARCH: Final = Template(
    name="arch-router",
    head="""
You are a helpful assistant designed to find the best suited route.
You are provided with route description within <routes></routes> XML tags:
<routes>

{routes}

</routes>

<conversation>

""",
    tail="""

</conversation>

Your task is to decide which route is best suit with user intent on the conversation in \
<conversation></conversation> XML tags.  Follow the instruction:
1. If the latest intent from user is irrelevant or user intent is full filled, response with \
other route {"route": "other"}.
2. You must analyze the route descriptions and find the best match route for user latest intent.
3. You only response the name of the route that best matches the user's request, use the exact \
name in the <routes></routes>.

Based on your analysis, provide your response in the following JSON formats if you decide to \
match any route:
{"route": "route_name"}
""",
    context=2048,
    routes=_arch_routes,
    conversation=_arch_conversation,
    reply=_arch_reply,
)
_PLANO: Final = Template(
    name="plano-orchestrator",
    head="""
You are a helpful assistant that selects the most suitable routes based on user intent.
You are provided with a list of available routes enclosed within <routes></routes> XML tags:
<routes>
{routes}
</routes>

You are also given the conversation context enclosed within <conversation></conversation> XML tags:
<conversation>
""",
    tail="""
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
""",
    context=8192,
    routes=_plano_routes,
    conversation=_plano_conversation,
    reply=_plano_reply,
)
TEMPLATES: Final[dict[TemplateName, Template]] = {t.name: t for t in (_ARCH, _PLANO)}
