"""The same in other words: names in all styles, prompts as people type them."""

from __future__ import annotations

import random
import re

WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_]+")
STYLES = ("snake", "camel", "kebab", "title", "plain", "upper")


def styled(name: str, style: str) -> str:
    """Write a name in one of the styles operators use."""
    words = WORDS.findall(name) or [name]
    if style == "camel":
        return words[0].lower() + "".join(word.capitalize() for word in words[1:])
    if style == "title":
        return " ".join(word.capitalize() for word in words)
    joined = {"snake": "_", "kebab": "-", "upper": "_"}.get(style, " ").join(words)
    return joined.upper() if style == "upper" else joined.lower()


GREETINGS = (
    "Hi, ",
    "hello! ",
    "Hey there, ",
    "please ",
    "can you help? ",
    "Quick question: ",
    "ok so ",
)
DONE = (
    "Done.", "Sure, here you go.", "Here it is:", "Okay.", "All set.", "You're welcome!",
    "Of course.", "I have taken care of that.", "Let me know if you need anything else.", "Got it.",
)  # fmt: skip


def shown(names: list[str], descriptions: list[str], rng: random.Random) -> tuple[str, str]:
    """Write a route as an operator might: name and description, or only one of them."""
    name = styled(rng.choice(names), rng.choice(STYLES))
    description = rng.choice(descriptions)
    fate = rng.random()
    if fate < 0.2:
        return f"route_{rng.randrange(40)}", description
    if fate < 0.3:
        return name, ""
    return name, description


def noisy(text: str, rng: random.Random) -> str:
    """Write a prompt as people do: without capitals or marks, or with a greeting."""
    fate = rng.random()
    if fate < 0.12:
        return text.lower()
    if fate < 0.17:
        return text.rstrip(".?!")
    if fate < 0.21:
        return rng.choice(GREETINGS) + text
    return text


def renamed(routes: list[dict[str, str]], rng: random.Random) -> list[tuple[str, str]]:
    """Show a table in one style, or with names that say nothing."""
    fate = rng.random()
    if fate < 0.15:
        return [(f"route_{i}", route["description"]) for i, route in enumerate(routes)]
    if fate < 0.5:
        return [(route["name"], route["description"]) for route in routes]
    style = rng.choice(STYLES)
    return [(styled(route["name"], style), route["description"]) for route in routes]
