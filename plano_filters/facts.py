"""The facts that more than one filter reads. All frozen; facts of one filter live in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Prefer = Literal["cheapest", "fastest", "none"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. Provided by `auth`."""

    id: str
    claims: Mapping[str, object] = field(default_factory=dict)
    """The verified claims of a token; empty for a static key."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The models that may serve this exchange, best first. Provided by `alias`."""

    models: tuple[str, ...]
    """Full names, `provider/model-id`, each at most once."""
    requested: str
    """The model as the client wrote it; empty when it named none."""
    explicit: bool
    """Whether the client named a model; False for an absent one, `auto` and `router`."""
    exclusive: bool = False
    """Whether the client wants no other model if the first fails (`x-plano-fallback: off`)."""


@dataclass(frozen=True, slots=True)
class Route:
    """The routing preference that matched. May be absent."""

    name: str
    confidence: float | None = None
    """Probability in 0..1, if the router gives one."""
    models: tuple[str, ...] = ()
    """Full names of its models that can serve the request, in the order of the document. They are
    the first candidates."""
    prefer: Prefer = "none"
    """How its models are to be ordered."""


@dataclass(frozen=True, slots=True)
class Pin:
    """The model that the session of this exchange is held to. May be absent."""

    model: str
    route: str | None = None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """The session of this exchange, for those who tell the client of it. May be absent: then the
    request belongs to none. Put by `affinity`, which supersedes it when the session moves."""

    id: str
    """As the client gave it, or the implicit one. Whatever a client writes: not for logs."""
    pinned: bool = False
    """Whether the session came with a model that still counts: it was warm on arrival."""
    switched: bool = False
    """Whether it was moved off that model."""


@dataclass(frozen=True, slots=True)
class Continued:
    """The response that a request continues, where a provider keeps it. May be absent.

    Put by `conversation_state`, which has put the conversation itself into the request: any model
    can answer it. The provider that keeps the response is asked with its id instead.
    """

    response_id: str
    model: str
    """Full name; its provider keeps the response."""
    given: object
    """The `input` as the client sent it; None if there was none."""
    whole: list[Any]
    """The `input` that stands in the request instead, if no filter has changed it since."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that the provider reported. Absent fields were not reported."""

    input_tokens: int | None = None
    """All prompt tokens, cached ones included."""
    output_tokens: int | None = None
    """Reasoning included."""
    cached_tokens: int | None = None
    """Prompt tokens read from the provider's cache."""
    cache_write_tokens: int | None = None
    """Prompt tokens written into it."""
    reasoning_tokens: int | None = None
    """Output tokens that are not part of the answer."""
    cache_write_1h_tokens: int | None = None
    """Of those written, the ones that the cache keeps for an hour."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer cost. Absent if its tokens or their price are not known.

    Put by `upstream` with the tokens, and superseded when more of them are known. It is that of the
    model that served: what failed tries cost, no provider says.
    """

    usd: float
    source: str
    """Of the price: `genai-prices`, `models.dev`, `digitalocean`, `file`, or `own`."""
    age: float | None
    """Of the price, seconds; None where it means nothing."""
    whole: bool = True
    """False: at least so much; the stream has not ended, or never did."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try against one provider, begun; its end is an `AttemptResult`."""

    number: int
    """1 for the first try of the exchange."""
    model: str
    """Full name, `provider/model-id`."""
    provider: str
    """Prefix of the model, such as `openai`."""


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How a try ended."""

    attempt: Attempt
    status: int | None
    """The provider's status; None when none came."""
    error: str | None
    """`connect`, `dns`, `tls`, `timeout`, `reset`, `status` or `stream`; None if it served."""
    started: float
    """Wall clock, seconds since the epoch."""
    seconds: float
    """Until the head of the answer, or until the failure."""
    server_address: str = ""
    server_port: int | None = None


@dataclass(slots=True)
class Attempts:
    """The attempt ledger: every try of an exchange, in order. Provided by `upstream`.

    The one mutable fact: it grows while `upstream` works, and only `upstream` writes it.
    """

    results: list[AttemptResult] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.results)


@dataclass(frozen=True, slots=True)
class Served:
    """Who answered. Put by `upstream` when a provider's answer is about to be relayed."""

    model: str
    """Full name."""
    provider: str


@dataclass(frozen=True, slots=True)
class Decided:
    """The model that an exchange came to which asks no provider. Never beside a `Served`.

    Absent where the chain came to none: the client named a model that is not declared, and no
    route or pin stood in for it.
    """

    model: str
    """Full name of the first candidate: whom the gateway would have asked."""


@dataclass(frozen=True, slots=True)
class ResponseInfo:
    """What an answer said of itself. Put by `upstream` at its end, as far as it was seen."""

    id: str | None = None
    model: str | None = None
    finish_reasons: tuple[str, ...] = ()
