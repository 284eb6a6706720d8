"""Verifying tokens against an identity provider's published keys."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from plano_builtin_filters.auth.config import JWTConfig
from plano_filters import FactoryContext, Principal, Unauthorized, Unavailable

if TYPE_CHECKING:
    import jwt

log = logging.getLogger(__name__)

FETCH_SECONDS: Final = 5.0
LARGEST: Final = 256 * 1024
"""Bytes of a key set; real ones have a few kilobytes."""
UNKNOWN_KEY_SECONDS: Final = 30.0
"""Between two fetches because of an unknown key id: forged ids must not make us hammer anyone."""
RETRY_SECONDS: Final = 15.0
"""After a failed fetch."""


class Tokens:
    """Verifies tokens; keeps the last key set that could be fetched.

    Args:
        config: Issuer, audience and where the keys are.
        context: Clock and transport.

    Raises:
        ValueError: The extra `jwt` is not installed.
    """

    def __init__(self, config: JWTConfig, context: FactoryContext) -> None:
        try:
            import jwt  # noqa: PLC0415 - the extra `jwt`
        except ImportError:
            raise ValueError("jwt needs an extra: pip install 'plano-filters[jwt]'") from None
        self._jwt = jwt
        self._config = config
        self._context = context
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._fetching = asyncio.Lock()

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Fetch the keys, and again at intervals. A provider that is down stops no start."""
        if self._config.jwks_file is not None:
            text = await asyncio.to_thread(Path(self._config.jwks_file).read_bytes)
            self._keys = self._parse(text)
            yield
            return
        await self._refresh()
        refresher = asyncio.create_task(self._refresh_for_ever(), name="refresh-jwks")
        try:
            yield
        finally:
            refresher.cancel()
            await asyncio.wait([refresher])

    async def principal(self, token: str) -> Principal:
        """Return whose token it is.

        Raises:
            Unauthorized: It is not valid, or does not say.
            Unavailable: The keys could not be fetched yet.
        """
        claims = await self._claims(token)
        who = claims.get(self._config.principal_claim)
        if not isinstance(who, str) or not who.strip():
            raise Unauthorized(f'the token\'s "{self._config.principal_claim}" is no name')
        return Principal(who, claims)

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token.

        Raises:
            Unauthorized: It is not valid.
            Unavailable: The keys could not be fetched yet.
        """
        try:
            header = self._jwt.get_unverified_header(token)
        except self._jwt.PyJWTError:
            raise Unauthorized("the token is malformed") from None
        key = self._keys.get(header.get("kid"))
        if key is None and self._config.jwks_url is not None:
            await self._look_again()
            key = self._keys.get(header.get("kid"))
        if key is None and not self._keys:
            raise Unavailable(
                "the keys of the identity provider are not there yet", headers={"retry-after": "5"}
            )
        if key is None:
            raise Unauthorized("the token is signed with an unknown key")
        return self._decode(token, key)

    def _decode(self, token: str, key: jwt.PyJWK) -> Mapping[str, Any]:
        config = self._config
        try:
            claims: dict[str, Any] = self._jwt.decode(
                token,
                key.key,
                algorithms=list(config.algorithms),
                issuer=config.issuer,
                audience=config.audience,
                leeway=config.leeway,
                options={"require": ["exp", "iss", "aud", config.principal_claim]},
            )
        except self._jwt.ExpiredSignatureError:
            raise Unauthorized("the token has expired") from None
        except (self._jwt.PyJWTError, ValueError, TypeError) as error:
            raise Unauthorized(f"the token is not valid: {type(error).__name__}") from None
        return claims

    async def _look_again(self) -> None:
        """Fetch the keys because a token names one we do not have; not too often."""
        async with self._fetching:
            wait = UNKNOWN_KEY_SECONDS if self._keys else RETRY_SECONDS
            if self._context.clock.now() - self._fetched < wait:
                return
            await self._fetch()

    async def _refresh(self) -> bool:
        async with self._fetching:
            return await self._fetch()

    async def _refresh_for_ever(self) -> None:
        while True:
            waits = self._config.refresh_interval if self._keys else RETRY_SECONDS
            await self._context.clock.sleep(waits)
            await self._refresh()

    async def _fetch(self) -> bool:
        """Fetch the keys; on failure the old ones stay."""
        self._fetched = self._context.clock.now()
        url = self._config.jwks_url or ""
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                self._keys = self._parse(await self._get(url))
        except (TimeoutError, httpx.HTTPError, OSError, ValueError) as error:
            log.warning("cannot fetch the keys of %s: %s", url, str(error) or type(error).__name__)
            return False
        return True

    async def _get(self, url: str) -> bytes:
        request = httpx.Request("GET", url, headers={"accept": "application/json"})
        response = await self._context.transport().handle_async_request(request)
        try:
            if response.status_code != 200:
                raise ValueError(f"answered {response.status_code}")
            body = b""
            async for chunk in response.stream:  # type: ignore[union-attr]
                body += chunk
                if len(body) > LARGEST:
                    raise ValueError(f"larger than {LARGEST} bytes")
            return body
        finally:
            with contextlib.suppress(Exception):
                await response.stream.aclose()  # type: ignore[union-attr]

    def _parse(self, text: bytes) -> dict[str | None, jwt.PyJWK]:
        """Read a key set; keys of kinds we do not know are left out.

        Raises:
            ValueError: It is no key set, or has no usable key.
        """
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError("no key set")
        try:
            keys = self._jwt.PyJWKSet.from_dict(document).keys
        except self._jwt.PyJWTError as error:
            raise ValueError(f"no key set: {error}") from None
        found: dict[str | None, jwt.PyJWK] = {}
        for key in keys:
            name: object = key.key_id  # whatever stood in the document
            if key.key_type != "oct" and (name is None or isinstance(name, str)):
                found[name] = key
        return found
