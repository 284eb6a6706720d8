"""What an answer says of itself, left as facts: tokens, cost, id, model, why it ended."""

from __future__ import annotations

from collections.abc import Mapping

from plano_builtin_filters.upstream import usage
from plano_filters import Cost, FilterState, Usage
from plano_filters.facts import ResponseInfo
from plano_filters.prices import Quote, cost
from plano_filters.sse import Splitter


class Notes:
    """Reads an answer beside its relay; what it cannot read it ignores.

    What it finds is kept until `publish`: only the try that serves may leave facts.

    Args:
        quote: What the model costs; None if that is not known.
    """

    def __init__(self, quote: Quote | None = None) -> None:
        self._quote = quote
        self._facts: FilterState | None = None
        self._found: dict[type, object] = {}
        self._usage: Usage | None = None
        self._info = ResponseInfo()
        self._first = True

    def publish(self, facts: FilterState) -> None:
        """Leave what was found, and from now on whatever will be, as soon as it is.

        Args:
            facts: Take a `Usage`, a `Cost` and a `ResponseInfo`, as far as they are known.
        """
        self._facts = facts
        for fact in self._found.values():
            _leave(facts, fact)

    def document(self, body: bytes) -> None:
        """Read a whole answer."""
        self._take(usage.decode(body), whole=True)

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

    def _take(self, document: Mapping[str, object], *, whole: bool = False) -> None:
        info = usage.info_of(document)
        self._info = ResponseInfo(
            self._info.id or info.id,
            self._info.model or info.model,
            info.finish_reasons or self._info.finish_reasons,
        )
        if self._info != ResponseInfo():
            self._note(self._info)
        found = usage.usage_of(document)
        if found is not None:
            self._usage = usage.merge(self._usage, found)
            self._note(self._usage)
        if self._usage is not None and self._quote is not None:
            usd = cost(self._usage, self._quote.rates)
            if usd is not None:
                # Before a stream has ended, its output was counted only so far.
                known = whole or bool(self._info.finish_reasons)
                self._note(Cost(usd, self._quote.source, self._quote.age, known))

    def _note(self, fact: object) -> None:
        if self._found.get(type(fact)) != fact:
            self._found[type(fact)] = fact
            if self._facts is not None:
                _leave(self._facts, fact)


def _leave(facts: FilterState, fact: object) -> None:
    """Put a fact, or supersede what an earlier event left."""
    if facts.get(type(fact)) is None:
        facts.put(fact)
    else:
        facts.replace(fact)
