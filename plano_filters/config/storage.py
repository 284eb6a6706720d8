"""Where the document says that conversations are kept."""

from __future__ import annotations

from typing import Literal

from plano_filters.config.types import Model, Secret


class StateStorage(Model):
    """Where responses are kept that `previous_response_id` continues."""

    type: Literal["memory", "redis"]
    """`memory`: each process its own."""
    connection_string: Secret | None = None
    """`redis://` or `rediss://`; required for redis."""
