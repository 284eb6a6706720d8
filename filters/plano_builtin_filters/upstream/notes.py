"""What an answer says of itself, left as facts: tokens, id, model, why it ended."""

from __future__ import annotations

from collections.abc import Mapping

from plano_builtin_filters.upstream import usage
from plano_filters import FilterState, Usage
from plano_filters.facts import ResponseInfo
from plano_filters.sse import Splitter


class Notes:
    """Reads an answer beside its relay; what it cannot read it ignores.

    Args:
        facts: Take a `Usage` and a `ResponseInfo`, each as soon as there is something to say.
    """

    def __init__(self, facts: FilterState) -> None:
        self._facts = facts
        self._usage: Usage | None = None
        self._info = ResponseInfo()
        self._first = True

    def document(self, body: bytes) -> None:
        """Read a whole answer."""
        self._take(usage.decode(body))

    def events(self, block: bytes) -> None:
        """Read some events of a stream: the first, and those that can tell something."""
        if not self._first and usage.TELLING.search(block) is None:
            return
        splitter = Splitter()
        events = splitter.feed(block) + splitter.feed(b"\n\n")
        for event in events:
            if self._first or usage.TELLING.search(event.raw):
                document = usage.decode(event.data)
                self._first = self._first and not document
                self._take(document)

    def _take(self, document: Mapping[str, object]) -> None:
        found = usage.usage_of(document)
        if found is not None:
            self._usage = usage.merge(self._usage, found)
            self._leave(self._usage)
        info = usage.info_of(document)
        merged = ResponseInfo(
            self._info.id or info.id,
            self._info.model or info.model,
            info.finish_reasons or self._info.finish_reasons,
        )
        if merged != self._info:
            self._info = merged
            self._leave(merged)

    def _leave(self, fact: object) -> None:
        """Put a fact, or supersede what an earlier event or a failed try left."""
        if self._facts.get(type(fact)) is None:
            self._facts.put(fact)
        else:
            self._facts.replace(fact)
