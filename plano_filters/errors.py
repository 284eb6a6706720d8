"""Every way a request or a configuration can fail, as one tree.

    GatewayError                     an expected failure; stops the chain, becomes a response
    ├── BadRequest              400
    │   ├── InvalidJSON         400
    │   └── Blocked             400  a filter refused the content; or the status it says
    ├── Unauthorized            401
    ├── PermissionDenied        403
    ├── NotFound                404
    │   └── ModelNotFound       404
    ├── MethodNotAllowed        405
    ├── RequestTimeout          408
    ├── PayloadTooLarge         413
    ├── UnsupportedMediaType    415
    ├── HeadersTooLarge         431
    ├── RateLimited             429
    ├── InternalError           500
    ├── FilterFailed            500  a filter raised or ran out of its time
    ├── UpstreamFailed          502  unreachable, or broke off
    ├── Unavailable             503  draining, or over a limit
    └── UpstreamTimeout         504
    ConfigError                      a configuration that cannot start

A class says what kind of failure it is; an instance says what happened, and may give a status, type
or code of its own where a provider's error is passed on in another dialect. Filters raise, only the
chain turns errors into responses, and only `plano_filters.dialect` writes their bodies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Protocol

ErrorSource = Literal["gateway", "filter", "upstream"]


class GatewayError(Exception):
    """An expected failure of one request.

    Args:
        detail: One sentence for the caller. Never contains a secret or a prompt.
        param: The request field at fault, if it is one.
        headers: Extra response headers, such as `retry-after`.
    """

    status: int = 500
    type: str = "server_error"
    """OpenAI's `error.type`; `plano_filters.dialect` maps it for other dialects."""
    code: str = "internal_error"
    source: ClassVar[ErrorSource] = "gateway"

    def __init__(
        self, detail: str, *, param: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.param = param
        self.headers = dict(headers or {})
        self.details: dict[str, object] = {}
        """More about it for machines, shown to the caller; JSON values."""


class BadRequest(GatewayError):
    """The request cannot be understood, or asks for what there is not."""

    status, type, code = 400, "invalid_request_error", "bad_request"


class InvalidJSON(BadRequest):
    """The body is no JSON, or nested too deeply."""

    code = "invalid_json"


class Blocked(BadRequest):
    """A filter refused the content of a request or of a response.

    Args:
        detail: What the filter says to the caller.
        status: 400 to 499.
        details: More of what it says, for machines.
    """

    code, source = "filter_blocked", "filter"

    def __init__(
        self, detail: str, *, status: int = 400, details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.details = dict(details or {})


class Unauthorized(GatewayError):
    """Nobody knows who is asking."""

    status, type, code = 401, "authentication_error", "invalid_api_key"


class PermissionDenied(GatewayError):
    """Who is asking may not."""

    status, type, code = 403, "permission_error", "permission_denied"


class NotFound(GatewayError):
    """Nothing is served at this path."""

    status, type, code = 404, "invalid_request_error", "not_found"


class ModelNotFound(NotFound):
    """The model that was asked for is not declared."""

    code = "model_not_found"


class MethodNotAllowed(GatewayError):
    """The path is served, by other methods."""

    status, type, code = 405, "invalid_request_error", "method_not_allowed"


class RequestTimeout(GatewayError):
    """The client took too long to send its request."""

    status, type, code = 408, "invalid_request_error", "request_timeout"


class PayloadTooLarge(GatewayError):
    """The body is larger than `limits.body`."""

    status, type, code = 413, "invalid_request_error", "payload_too_large"


class UnsupportedMediaType(GatewayError):
    """The body is no JSON by its `content-type`, or is compressed."""

    status, type, code = 415, "invalid_request_error", "unsupported_media_type"


class RateLimited(GatewayError):
    """Too many requests, or too much of something, for now; `retry-after` says until when."""

    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"


class HeadersTooLarge(GatewayError):
    """The headers are more, or larger, than `limits` allows."""

    status, type, code = 431, "invalid_request_error", "headers_too_large"


class InternalError(GatewayError):
    """Something nobody expected. The text is fixed; the cause is in the log and the span."""

    def __init__(self) -> None:
        super().__init__("the gateway failed to handle this request; see its log")


class FilterFailed(GatewayError):
    """A filter raised something unexpected, or ran out of its `timeout`.

    A filter that knows why it failed, such as for want of a service, raises it itself: then there
    is a sentence in the log instead of a traceback. `on_error: skip` passes over it, as over
    anything unexpected; other `GatewayError`s are refusals, and always stop.
    """

    code = "filter_failed"
    source: ClassVar[ErrorSource] = "filter"


class UpstreamFailed(GatewayError):
    """No provider could be reached, or one broke off in the middle of its answer."""

    status, code, source = 502, "upstream_failed", "upstream"


class Unavailable(GatewayError):
    """The gateway is stopping, or full."""

    status, code = 503, "unavailable"


class UpstreamTimeout(GatewayError):
    """A provider did not answer in time."""

    status, code, source = 504, "upstream_timeout", "upstream"


class Located(Protocol):
    """What `ConfigError` shows of a problem; `plano_filters.config.problems.Problem` is one."""

    def render(self) -> str:
        """Return it as a compiler tells it: message, file, line, caret."""
        ...


class ConfigError(Exception):
    """A configuration that cannot start, with every problem that was found in it."""

    def __init__(self, problems: Sequence[Located]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n\n".join(problem.render() for problem in problems))
