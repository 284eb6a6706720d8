"""The hooks of `alias`."""

from __future__ import annotations

from plano_builtin_filters.alias import core, listing
from plano_builtin_filters.alias.config import AliasConfig
from plano_filters import (
    BadRequest,
    Candidates,
    Exchange,
    FactoryContext,
    Filter,
    GatewayError,
    ModelNotFound,
    Response,
)
from plano_filters.models import ModelIndex

FALLBACK_HEADER = "x-plano-fallback"
"""`off` keeps a request from being served by any model but the one it names."""


class Alias(Filter[AliasConfig]):
    """Turn the requested model into the declared models that may serve it, best first."""

    config_type = AliasConfig
    provides = (Candidates,)

    def __init__(self, config: AliasConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        self._index = ModelIndex.of(context.document)

    async def on_request(self, exchange: Exchange) -> Response | None:
        if exchange.operation.endpoint == "models":
            return listing.answer(exchange, self._index)
        try:
            candidates = self._candidates(exchange)
        except GatewayError as error:
            if not exchange.operation.deciding:
                raise
            candidates = self._foreign(exchange, error)
        exchange.state.put(candidates)
        return None

    def _foreign(self, exchange: Exchange, error: GatewayError) -> Candidates:
        """Return no candidates: whoever only wants a decision may name models of its own.

        Raises:
            BadRequest: What it names is no model at all.
        """
        name = exchange.request.payload.get("model")
        if name is not None and not isinstance(name, str):
            raise error
        exchange.decide(f"only a route or a pin can name a model: {error.detail}")
        asked = (name or "").strip()[: core.LONGEST]
        only = exchange.request.headers.get(FALLBACK_HEADER, "").lower() == "off"
        return Candidates((), asked, asked not in core.UNNAMED, exclusive=only)

    def _candidates(self, exchange: Exchange) -> Candidates:
        requested = exchange.request.payload.get("model")
        if requested is not None and not isinstance(requested, str):
            raise BadRequest('"model" must be a string', param="model")
        name = (requested or "").strip()
        if len(name) > core.LONGEST:
            raise self._unknown(name)
        fallbacks: tuple[str, ...] = ()
        if name in core.UNNAMED:
            models, how = self._unnamed(name)
            explicit = False
        else:
            resolution = self._index.resolve(name)
            if resolution is None:
                raise self._unknown(name)
            models, how, explicit = resolution.models, resolution.how, True
            fallbacks = tuple(self._index.fallbacks(models[0], self.config.fallback))
        only = exchange.request.headers.get(FALLBACK_HEADER, "").lower() == "off"
        if only:
            how += ", and no other: the request says so"
            fallbacks = ()
        found = core.candidates(models, fallbacks, exchange.dialect, self._index)
        if not found:
            spoken = ", ".join(sorted(self._index.dialects(models[0])))
            raise BadRequest(
                f"{models[0]} does not speak {exchange.dialect}; its provider speaks {spoken}",
                param="model",
            )
        found = found[:1] if only else found
        exchange.decide(how, requested=name, candidates=list(found))
        self._tell_left_out(exchange, (*models, *fallbacks))
        return Candidates(found, name, explicit, exclusive=only)

    def _tell_left_out(self, exchange: Exchange, models: tuple[str, ...]) -> None:
        """Record which models cannot serve the request because of its dialect."""
        dialect = exchange.dialect
        out = [one for one in dict.fromkeys(models) if not self._index.speaks(one, dialect)]
        if out:
            exchange.decide(f"left out, no {dialect} there: {', '.join(out)}", left_out=out)

    def _unnamed(self, name: str) -> tuple[tuple[str, ...], str]:
        models = tuple(dict.fromkeys(self._index.unnamed()))
        if not models:
            raise BadRequest(
                'name a model in "model"; this gateway declares no default', param="model"
            )
        why = "default" if self._index.default else "first declared"
        return models, f"{name or 'no model named'} -> {why} {models[0]}"

    def _unknown(self, name: str) -> ModelNotFound:
        close = self._index.similar(name)
        meant = f'; did you mean "{close[0]}"?' if close else ""
        declared = ", ".join([entry.model for entry in self._index.entries][:8])
        return ModelNotFound(
            f'the model "{name[:200]}" is not declared (declared: {declared}){meant}', param="model"
        )
