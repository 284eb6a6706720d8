"""The end of a chain that only decides: it says which model to take, and asks no provider.

Source of the reply's shape: Plano's decision endpoint, `/routing/v1/...`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from plano_filters.exchange import Exchange
from plano_filters.facts import Candidates, Decided, Pin, Route, SessionInfo
from plano_filters.filter import FactoryContext, FilterConfig, TerminalFilter
from plano_filters.messages import Response, header_text

ID: Final = "decide"
"""Of the link, in timings and decisions."""
NO_MODEL: Final = "none"
"""Plano's word in `models` for: take the one that you named."""
_TRACE_PARENT: Final = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class Decide(TerminalFilter[FilterConfig]):
    """Answer with what the filters before it decided."""

    def __init__(self) -> None:
        super().__init__(FilterConfig(), FactoryContext(ID))

    async def on_request(self, exchange: Exchange) -> Response:
        candidates = exchange.state.get(Candidates)
        response = Response.from_json(reply(exchange))
        if candidates is not None and candidates.models:
            model = candidates.models[0]
            exchange.state.put(Decided(model))
            exchange.decide(f"{model}, without asking it", model=model)
            response.headers["x-plano-model"] = header_text(model)
        else:
            exchange.decide("no model")
        response.headers.update(route_headers(exchange.state.get(Route)))
        return response


def reply(exchange: Exchange) -> dict[str, Any]:
    """Return the body: Plano's fields, then `confidence` and `decisions`."""
    state = exchange.state
    route, session = state.get(Route), state.get(SessionInfo)
    return {
        "models": ranked(state.get(Candidates), route, state.get(Pin)),
        "route": route.name if route else None,
        "trace_id": trace_id(exchange),
        **({"session_id": session.id} if session else {}),
        "pinned": session is not None and session.pinned,
        "switched": session is not None and session.switched,
        "confidence": route.confidence if route else None,
        "decisions": [
            {"filter": one.filter, "text": one.text, "data": one.data} for one in exchange.decisions
        ],
    }


def ranked(candidates: Candidates | None, route: Route | None, pin: Pin | None) -> list[str]:
    """Return the models to take, best first; `["none"]` if neither a route nor a pin named one.

    Behind the first come the others of its route, and no last resorts: the client has its own.
    """
    if candidates is None or not candidates.models or (route is None and pin is None):
        return [NO_MODEL]
    pool = route.models if route is not None else ()
    others = (model for model in candidates.models if model in pool)
    return list(dict.fromkeys([candidates.models[0], *others]))


def trace_id(exchange: Exchange) -> str:
    """Return the id of the request's trace: the client's, else that of our span, else a new one."""
    given = _TRACE_PARENT.fullmatch(exchange.request.headers.get("traceparent", "").strip())
    if given is not None:
        return given[1]
    context = exchange.span.get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else uuid.uuid4().hex


def route_headers(route: Route | None) -> Mapping[str, str]:
    """Return the headers that say which route was taken; none without a route."""
    if route is None:
        return {}
    told = {"x-plano-route": header_text(route.name)}
    if route.confidence is not None:
        told["x-plano-route-confidence"] = f"{route.confidence:.3f}"
    return told
