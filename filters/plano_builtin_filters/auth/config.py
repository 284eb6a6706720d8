"""What users write under `auth:`."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from plano_filters import FilterConfig
from plano_filters.config import Duration, Secret

ASYMMETRIC = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


class KeyEntry(FilterConfig):
    """A static key and whose it is."""

    id: str = Field(min_length=1)
    """Who holds the key; what logs and other filters see."""

    key: Secret
    """The key: `$TEAM_A_KEY` or `file:/run/secrets/team-a`. Long and random."""

    @field_validator("key")
    @classmethod
    def _sendable(cls, key: Secret) -> Secret:
        text = key.reveal()
        if text != text.strip() or any(character < " " for character in text):
            raise ValueError(
                "has white space around it, or a line break in it, so nobody could send it"
            )
        return key


class JWTConfig(FilterConfig):
    """Tokens of an identity provider. Needs the extra `jwt`."""

    jwks_url: str | None = None
    """Where the provider publishes its public keys."""

    jwks_file: str | None = None
    """A file with them instead."""

    issuer: str
    """Required `iss`."""

    audience: str
    """Required `aud`."""

    algorithms: tuple[str, ...] = Field(default=("RS256", "ES256"), min_length=1)
    """Accepted signatures; asymmetric ones only."""

    leeway: Duration = Field(default=10.0, ge=0, le=300)
    """Tolerance for clocks that differ, on `exp` and `nbf`."""

    principal_claim: str = "sub"
    """The claim that says who it is."""

    refresh_interval: Duration = Field(default=600.0, ge=10)
    """Between two fetches of the keys."""

    @model_validator(mode="after")
    def _one_source(self) -> JWTConfig:
        if (self.jwks_url is None) == (self.jwks_file is None):
            raise ValueError("jwt needs one of jwks_url and jwks_file")
        if self.jwks_url is not None and not _is_url(self.jwks_url):
            raise ValueError("jwks_url must be a URL with http:// or https:// and a host")
        wrong = [name for name in self.algorithms if name not in ASYMMETRIC]
        if wrong:
            raise ValueError(f"algorithms must be asymmetric ones, not {', '.join(wrong)}")
        return self


class AuthConfig(FilterConfig):
    """Who may use the gateway."""

    keys: tuple[KeyEntry, ...] = ()
    """Static keys."""

    jwt: JWTConfig | None = None
    """Tokens, beside or instead of keys."""

    header: str | None = None
    """The one header that holds the gateway's credential. Default: `Authorization: Bearer`,
    `x-api-key` or `api-key`. Set it where providers get the client's own key in another header
    (`passthrough_auth`)."""

    @model_validator(mode="after")
    def _someone(self) -> AuthConfig:
        if not self.keys and self.jwt is None:
            raise ValueError("auth needs keys or jwt; without either nobody could pass")
        return self
