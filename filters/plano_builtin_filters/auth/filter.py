"""The hooks of `auth`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from plano_builtin_filters.auth import core
from plano_builtin_filters.auth.config import AuthConfig
from plano_builtin_filters.auth.tokens import Tokens
from plano_filters import Exchange, FactoryContext, Filter, Principal, Unauthorized


class Auth(Filter[AuthConfig]):
    """Let in who shows a known key or a valid token; answer 401 to everyone else."""

    config_type = AuthConfig
    provides = (Principal,)

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
        refusal = "missing or unknown API key"
        for shown in core.credentials(headers, self.config.header):
            try:
                principal = await self._principal(shown.text)
            except Unauthorized as error:
                refusal = error.detail
                continue
            if principal is not None:
                # The key was for us. What the provider is shown is configured, or another header.
                del headers[shown.header]
                exchange.state.put(principal)
                exchange.decide(f"{principal.id} is let in", principal=principal.id)
                return
        raise Unauthorized(refusal, headers={"www-authenticate": "Bearer"})

    async def _principal(self, text: str) -> Principal | None:
        """Return whose credential it is; None if nobody's.

        Raises:
            Unauthorized: It is a token, and not a valid one.
        """
        holder = self._ring.holder(text)
        if holder is not None:
            return Principal(holder)
        if self._tokens is None or not core.looks_like_jwt(text):
            return None
        claims: Mapping[str, Any] = await self._tokens.verify(text)
        assert self.config.jwt is not None  # noqa: S101 - there are tokens only then
        return Principal(str(claims[self.config.jwt.principal_claim]), claims)
