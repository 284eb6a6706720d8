"""The hooks of `auth`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from plano_builtin_filters.auth import core
from plano_builtin_filters.auth.config import AuthConfig
from plano_builtin_filters.auth.tokens import Tokens
from plano_filters import Exchange, FactoryContext, Filter, Principal, Unauthorized


class Auth(Filter[AuthConfig]):
    """Let in who shows a known key or a valid token; answer 401 to everyone else."""

    config_type = AuthConfig
    provides = (Principal,)
    fails_closed = True

    def __init__(self, config: AuthConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        self._ring = core.KeyRing((entry.id, entry.key.reveal()) for entry in config.keys)
        self._tokens = Tokens(config.jwt, context) if config.jwt is not None else None

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        if self._tokens is None:
            yield
            return
        async with self._tokens.lifespan():
            yield

    async def on_request(self, exchange: Exchange) -> None:
        headers = exchange.request.headers
        shown = core.credentials(headers, self.config.header)
        try:
            accepted, principal = self._by_key(shown) or await self._by_token(shown)
        except Unauthorized as error:
            error.headers["www-authenticate"] = "Bearer"
            raise
        for one in shown:
            # The credential was for us, wherever it stands; providers are shown what is configured.
            if one.text == accepted:
                del headers[one.header]
        exchange.state.put(principal)
        exchange.decide(f"{principal.id[:200]} is let in", principal=principal.id[:200])

    def _by_key(self, shown: Sequence[core.Credential]) -> tuple[str, Principal] | None:
        """Return the first credential that is a known key, and whose it is."""
        for one in shown:
            holder = self._ring.holder(one.text)
            if holder is not None:
                return one.text, Principal(holder)
        return None

    async def _by_token(self, shown: Sequence[core.Credential]) -> tuple[str, Principal]:
        """Return the first credential that is a valid token, and whose it is.

        Raises:
            Unauthorized: There is none.
        """
        refusal = "missing or unknown API key"
        for one in shown:
            if self._tokens is None or not core.looks_like_jwt(one.text):
                continue
            try:
                return one.text, await self._tokens.principal(one.text)
            except Unauthorized as error:
                refusal = error.detail
        raise Unauthorized(refusal)
