"""What is wrong with a routing table, before any request says so.

After Plano's advice: names agree with descriptions, routes do not overlap, and one broad route of a
domain catches what its narrow ones do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any, Final

from plano_builtin_filters.classify.routers.embedded import EmbeddedModel, route_text
from plano_builtin_filters.classify.routers.protocol import RouteOption, RouterFailed

Vectors = Callable[[Sequence[str]], Any]
"""Texts to their vectors of length 1, [N, H], as the embedded encoder reads them."""
RELATED: Final = 0.4
"""From here on two routes are of one domain. The encoder was trained to keep actions on one subject
apart, so it is not much."""
ACTIONS: Final = 3
"""Routes of one domain that want a route for the domain itself."""
_BROAD: Final = re.compile(
    r"(?i)\b(any|anything|all|everything|general|generally|overall|other|misc|miscellaneous|"
    r"questions about)\b"
)
"""How a description says that it is for a domain as a whole."""
OVERLAP: Final = 0.9
DISAGREE: Final = 0.1
SHORT: Final = 2
"""Words; a shorter description says no more than a name."""
LONG: Final = 60
"""Words; the encoder reads 64 tokens."""
_WORD = re.compile(r"[\u2e80-\ud7ff]|[^\W\u2e80-\ud7ff]+")
"""A run of letters and digits; in scripts without spaces, a character."""


def check(routes: Sequence[RouteOption]) -> list[str]:
    """Return what an operator should look at, each with its reason.

    Blocking: loads the embedded encoder, whichever router the gateway uses. Without it, only what
    needs no model is looked at. A table that was looked at before, as in a reload, is not again.
    """
    try:
        return list(_checked(tuple(routes)))
    except RouterFailed:
        return warnings(routes)


@lru_cache(maxsize=8)
def _checked(routes: tuple[RouteOption, ...]) -> tuple[str, ...]:
    model = EmbeddedModel()
    model.load()
    return tuple(warnings(routes, model.vectors))


def warnings(routes: Sequence[RouteOption], vectors: Vectors | None = None) -> list[str]:
    """Return what an operator should look at.

    Args:
        routes: The table.
        vectors: For what only a model can see; None to leave that out.
    """
    found = [text for route in routes for text in _lengths(route)]
    if vectors is not None and routes:
        descriptions = vectors([route.description for route in routes])
        names = vectors([route_text(route.name, "") for route in routes])
        found += _disagreeing(routes, (names * descriptions).sum(axis=1))
        found += _overlapping(routes, descriptions @ descriptions.T)
        whole = vectors([route_text(route.name, route.description) for route in routes])
        found += _without_a_domain(routes, whole @ whole.T)
    return found


def _lengths(route: RouteOption) -> list[str]:
    words = len(_WORD.findall(route.description))
    if words < SHORT:
        return [f'"{route.name}": the description is too short to tell it from others']
    if words > LONG:
        said = f'"{route.name}": the description has {words} words'
        return [f"{said}, and the embedded router reads about {LONG}"]
    return []


def _disagreeing(routes: Sequence[RouteOption], alike: Sequence[float]) -> list[str]:
    return [
        f'"{route.name}": name and description have little in common (similarity {one:.2f})'
        for route, one in zip(routes, alike, strict=True)
        if one < DISAGREE and route_text(route.name, route.description) != route.description
    ]  # an opaque name promises nothing


def _overlapping(routes: Sequence[RouteOption], alike: Any) -> list[str]:
    return [
        f'"{routes[one].name}" and "{routes[other].name}" say nearly the same (similarity '
        f"{alike[one][other]:.2f}), so requests will go to either"
        for one, other in combinations(range(len(routes)), 2)
        if alike[one][other] > OVERLAP
    ]


def _without_a_domain(routes: Sequence[RouteOption], alike: Any) -> list[str]:
    """Warn of actions on one subject with no route for what is none of them exactly."""
    found = []
    for group in _domains(len(routes), alike):
        members = [routes[index] for index in group]
        broad = any(_BROAD.search(f"{route.name} {route.description}") for route in members)
        if len(members) >= ACTIONS and not broad:
            names = ", ".join(f'"{route.name}"' for route in members)
            found.append(
                f"{names} are of one domain, and none is for the domain as a whole: a request that "
                "is none of them exactly goes to any of them, or to none"
            )
    return found


def _domains(count: int, alike: Any) -> list[list[int]]:
    """Put routes together that are related, directly or by way of others."""
    domains: list[list[int]] = []
    for index in range(count):
        near = [d for d in domains if any(alike[index][other] >= RELATED for other in d)]
        domains = [d for d in domains if d not in near]
        domains.append(sorted([index, *(other for d in near for other in d)]))
    return domains
