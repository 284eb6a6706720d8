"""A third party's filter: tells the model to shout."""

from __future__ import annotations

from pydantic import Field

from plano_filters import Exchange, Filter, FilterConfig, Response


class ShoutConfig(FilterConfig):
    """What users write under `shout:`."""

    marks: int = Field(default=1, ge=1, le=9)
    """Exclamation marks to ask for."""


class Shout(Filter[ShoutConfig]):
    """Ask the model to answer in capitals, and say so in a header."""

    config_type = ShoutConfig

    async def on_request(self, exchange: Exchange) -> None:
        system = {"role": "system", "content": f"Shout{'!' * self.config.marks}"}
        messages = exchange.request.payload.get("messages") or []
        exchange.request.edit(messages=[system, *messages])
        exchange.decide(f"shouting with {self.config.marks}")

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        response.headers["x-acme-shout"] = str(self.config.marks)
