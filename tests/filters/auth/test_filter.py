"""What `auth` does to an exchange: static keys, then tokens with real signatures."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from plano_builtin_filters.auth import Auth, AuthConfig
from plano_filters import Principal, Response
from plano_filters.exchange import Exchange
from plano_filters.testing import FakeClock, exercise, make_context, make_exchange

KEYS = [
    {"id": "team-a", "key": "sk-team-a-0123456789"},
    {"id": "team-b", "key": "sk-team-b-0123456789"},
]
NOW = 4_000_000_000


def auth(**config: Any) -> Auth:
    return Auth(AuthConfig.model_validate({"keys": KEYS, **config}), make_context())


def asking(**headers: str) -> Exchange:
    return make_exchange({}, headers={name.replace("_", "-"): v for name, v in headers.items()})


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer sk-team-b-0123456789"},
        {"x_api_key": "sk-team-b-0123456789"},
        {"api_key": "sk-team-b-0123456789"},
        {"authorization": "Bearer something-else", "x_api_key": "sk-team-b-0123456789"},
    ],
)
async def test_a_known_key_is_let_in_and_taken_away(headers: dict[str, str]) -> None:
    """The key says who it is, and does not travel on."""
    exchange = asking(**headers)

    response = await exercise(auth(), exchange)

    assert response.status == 200
    assert exchange.state[Principal].id == "team-b"
    assert all("sk-team" not in value for value in exchange.request.headers.values())


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer wrong-key-000000"}, {"authorization": "Basic abc"}]
)
async def test_anyone_else_is_refused_without_an_echo(headers: dict[str, str]) -> None:
    """A missing and a wrong key get the same answer."""
    response = await exercise(auth(), asking(**headers))

    assert response.status == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert isinstance(response.body, bytes)
    assert json.loads(response.body)["error"]["message"] == "missing or unknown API key"
    assert b"wrong-key" not in response.body


async def test_with_a_header_of_its_own_the_other_credential_passes() -> None:
    """So that providers can get the client's own key."""
    exchange = asking(x_gateway_key="sk-team-a-0123456789", authorization="Bearer sk-provider")

    response = await exercise(auth(header="x-gateway-key"), exchange)

    assert response.status == 200
    assert exchange.request.headers["authorization"] == "Bearer sk-provider"
    assert "x-gateway-key" not in exchange.request.headers


async def test_a_key_that_is_shown_twice_is_taken_away_twice() -> None:
    """No copy of it travels on."""
    key = "sk-team-a-0123456789"
    exchange = asking(authorization=f"Bearer {key}", x_api_key=key, api_key=key)

    await exercise(auth(), exchange)

    assert all(key not in value for value in exchange.request.headers.values())


# Tokens

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLAIMS = {"iss": "https://id.example", "aud": "gateway", "sub": "alice", "exp": NOW}


def jwk(key: Any, kid: str) -> dict[str, Any]:
    algorithm = (
        jwt.algorithms.RSAAlgorithm
        if isinstance(key, rsa.RSAPrivateKey)
        else jwt.algorithms.ECAlgorithm
    )
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


class Provider:
    """An identity provider whose answers the test sets."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.up = True
        self.asked = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if not self.up:
            raise httpx.ConnectError("down")
        return httpx.Response(200, json={"keys": self.keys})


def with_tokens(provider: Provider, clock: FakeClock | None = None, **jwt_config: Any) -> Auth:
    config = {
        "jwt": {
            "issuer": "https://id.example",
            "audience": "gateway",
            "jwks_url": "https://id.example/keys",
            **jwt_config,
        }
    }
    transport = httpx.MockTransport(provider)
    context = make_context(clock=clock or StoppedClock(), transport=lambda: transport)
    return Auth(AuthConfig.model_validate(config), context)


class StoppedClock(FakeClock):
    """A clock whose sleepers never wake, so that no background refresh runs."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


async def ask(under_test: Auth, token: str) -> tuple[Response, Exchange]:
    exchange = asking(authorization=f"Bearer {token}")
    return await exercise(under_test, exchange), exchange


def token(key: Any = RSA_KEY, kid: str = "r1", algorithm: str = "RS256", **claims: Any) -> str:
    given = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return jwt.encode(given, key, algorithm=algorithm, headers={"kid": kid})


@pytest.mark.parametrize(
    ("key", "kid", "algorithm"), [(RSA_KEY, "r1", "RS256"), (EC_KEY, "e1", "ES256")]
)
async def test_a_valid_token_is_let_in(key: Any, kid: str, algorithm: str) -> None:
    """RSA and elliptic curves; the claims are there for later filters."""
    under_test = with_tokens(Provider(jwk(RSA_KEY, "r1"), jwk(EC_KEY, "e1")))
    async with under_test.lifespan():
        response, exchange = await ask(under_test, token(key, kid, algorithm))

    assert response.status == 200
    assert exchange.state[Principal].id == "alice"
    assert exchange.state[Principal].claims["aud"] == "gateway"


def forged_with_public_key() -> str:
    """Sign with HMAC and the public key as the secret, as in the well-known attack."""
    secret = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    def part(value: object) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    signed = part({"alg": "HS256", "kid": "r1"}) + b"." + part(CLAIMS)
    signature = base64.urlsafe_b64encode(hmac.digest(secret, signed, hashlib.sha256)).rstrip(b"=")
    return (signed + b"." + signature).decode()


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        (token(exp=1), "expired"),
        (token(iss="https://other"), "InvalidIssuerError"),
        (token(aud="other"), "InvalidAudienceError"),
        (token(exp=None), "MissingRequiredClaimError"),
        (token(sub=None), "MissingRequiredClaimError"),
        (token(sub=" "), "is no name"),
        (token(nbf=NOW - 1), "ImmatureSignatureError"),
        (token(STRANGER), "InvalidSignatureError"),
        (token(STRANGER, "other"), "unknown key"),
        (forged_with_public_key(), "InvalidAlgorithmError"),
        (
            jwt.encode(CLAIMS, "", algorithm="none", headers={"kid": "r1"}),
            "InvalidAlgorithmError",
        ),
        ("eyJ.x.y", "malformed"),
    ],
)
async def test_a_token_that_is_not_valid_is_refused(shown: str, says: str) -> None:
    """Each for its own reason, and without the token in the answer."""
    under_test = with_tokens(Provider(jwk(RSA_KEY, "r1")))
    async with under_test.lifespan():
        response, _ = await ask(under_test, shown)

    assert response.status == 401
    assert isinstance(response.body, bytes)
    assert says in json.loads(response.body)["error"]["message"]


async def test_a_new_key_is_fetched_once_it_is_seen() -> None:
    """Key rotation needs no restart; forged key ids do not make us ask again and again."""
    provider, clock = Provider(jwk(RSA_KEY, "r1")), StoppedClock()
    under_test = with_tokens(provider, clock)
    async with under_test.lifespan():
        provider.keys = [jwk(EC_KEY, "e2")]
        refused, _ = await ask(under_test, token(EC_KEY, "e2", "ES256"))
        clock._now += 31
        let_in, _ = await ask(under_test, token(EC_KEY, "e2", "ES256"))
        for _ in range(5):
            await ask(under_test, token(STRANGER, "forged"))

    assert (refused.status, let_in.status) == (401, 200)
    assert provider.asked == 2


async def test_without_keys_yet_it_is_unavailable_and_then_recovers() -> None:
    """An identity provider that is down at the start does not stop the gateway."""
    provider = Provider(jwk(RSA_KEY, "r1"))
    provider.up = False
    clock = StoppedClock()
    under_test = with_tokens(provider, clock)
    async with under_test.lifespan():
        before, _ = await ask(under_test, token())
        for _ in range(5):
            await ask(under_test, token(kid="forged"))
        assert provider.asked == 1
        provider.up = True
        clock._now += 16
        after, _ = await ask(under_test, token())

    assert (before.status, before.headers["retry-after"]) == (503, "5")
    assert after.status == 200


async def test_the_last_keys_stay_when_the_provider_goes_down() -> None:
    """A failing refresh changes nothing."""
    provider, clock = Provider(jwk(RSA_KEY, "r1")), StoppedClock()
    under_test = with_tokens(provider, clock)
    async with under_test.lifespan():
        provider.up = False
        clock._now += 1000
        unknown, _ = await ask(under_test, token(EC_KEY, "e9", "ES256"))
        known, _ = await ask(under_test, token())

    assert (unknown.status, known.status) == (401, 200)


async def test_odd_keys_in_a_key_set_are_left_out() -> None:
    """One broken entry does not keep the others from working."""
    odd = {**jwk(RSA_KEY, "x"), "kid": ["a"]}
    under_test = with_tokens(Provider(odd, jwk(RSA_KEY, "r1")))
    async with under_test.lifespan():
        response, _ = await ask(under_test, token())

    assert response.status == 200


async def test_a_known_key_needs_no_identity_provider() -> None:
    """A token beside it may be anyone's."""
    provider = Provider()
    provider.up = False
    transport = httpx.MockTransport(provider)
    jwt_config = {"issuer": "i", "audience": "a", "jwks_url": "https://id.example/keys"}
    config = AuthConfig.model_validate({"keys": KEYS, "jwt": jwt_config})
    context = make_context(clock=StoppedClock(), transport=lambda: transport)
    exchange = asking(authorization=f"Bearer {token()}", x_api_key="sk-team-a-0123456789")

    response = await exercise(Auth(config, context), exchange)

    assert response.status == 200


async def test_keys_can_be_a_file(tmp_path: Any) -> None:
    """For networks without an identity provider in reach."""
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [jwk(RSA_KEY, "r1")]}))
    under_test = with_tokens(Provider(), jwks_url=None, jwks_file=str(file))
    async with under_test.lifespan():
        response, _ = await ask(under_test, token())

    assert response.status == 200
