"""Whether a stream came to its end. A cut must never look like one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from plano_filters.dialect import Dialect

# Inside a JSON string every quote and every line break is escaped, so none of these can match in
# what a model says, even if it writes about these very APIs.
_DONE: Final = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\]")
_STOP: Final = re.compile(rb'(?:^|[\r\n])event: ?message_stop|"type"\s*:\s*"message_stop"')
_RESPONSE: Final = re.compile(
    rb'"type"\s*:\s*"response\.(?:completed|incomplete|failed|cancelled)"'
)
_FINISH: Final = re.compile(rb'"finish_reason"\s*:\s*"')
_TERMINAL: Final[Mapping[Dialect, tuple[bytes, re.Pattern[bytes]]]] = {
    "chat": (b"[DONE]", _DONE),
    "embeddings": (b"[DONE]", _DONE),
    "messages": (b"message_stop", _STOP),
    "responses": (b"response.", _RESPONSE),
}
"""Of each dialect: bytes that are quick to look for, and what they must be part of."""


class Ending:
    """Follows a stream's events and knows whether it has ended.

    Args:
        dialect: Says which event ends a stream.
        trailing: What a provider says behind the last event is wanted too.
    """

    def __init__(self, dialect: Dialect, *, trailing: bool = True) -> None:
        self._mark, self._pattern = _TERMINAL[dialect]
        self._trailing = trailing and self._mark != b"[DONE]"
        self._chat = dialect == "chat"
        self._terminal = False
        self._finished = False

    def see(self, block: bytes) -> None:
        """Look at some complete events."""
        if self._mark in block and self._pattern.search(block):
            self._terminal = True
        if self._chat and not self._finished and b'"finish_reason"' in block:
            self._finished = _FINISH.search(block) is not None

    @property
    def over(self) -> bool:
        """Whether nothing can follow: clients stop reading at `[DONE]`.

        Behind the last event of the other dialects some providers still say something.
        """
        return self._terminal and not self._trailing

    def complete(self, *, broken: bool) -> bool:
        """Say whether what was seen is a whole stream.

        After the last event nothing can be missing. Some chat providers never send `[DONE]`; their
        streams are whole if they gave a `finish_reason` and then ended properly.

        Args:
            broken: The connection broke, or a deadline passed, instead of a proper end.
        """
        return self._terminal or (self._finished and not broken)
