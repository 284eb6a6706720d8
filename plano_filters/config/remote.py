"""Filters that are network services: how the document defines them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plano_filters.config.types import Duration, Model, Secret


class RemoteFilter(Model):
    """A filter that is a network service; Plano's meaning of `filters`."""

    id: str
    """Unique among the remote filters; listeners and `remote` name it."""
    url: str
    """Scheme, host, port and a path in front of the protocol's own."""
    type: Literal["mcp", "http"] = "mcp"
    """Its protocol: a tool of an MCP server, or plain HTTP."""
    transport: Literal["streamable-http"] = "streamable-http"
    """How MCP travels."""
    tool: str | None = None
    """Name of the MCP tool. Default: the id."""
    on_error: Literal["fail", "skip"] = "fail"
    """What a failure of the service does: `fail` refuses, `skip` goes on without the filter."""
    timeout: Duration = Field(default=30.0, gt=0)
    """Longest time one call may take, from the connection to the last byte."""
    unit: Literal["event", "sentence", "answer"] = "sentence"
    """How much of a streamed answer one call sees: the events that came together, the text of a
    sentence, or everything."""
    headers: dict[str, Secret] = Field(default_factory=dict)
    """Sent with each call; they override what is sent otherwise."""
    pass_credentials: bool = False
    """Send the client's credentials and cookies along, as Plano does."""
