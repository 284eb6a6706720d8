"""Which placeholder stands for what, in one exchange."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from plano_filters_pii_redact.finding import Finder

_PLACEHOLDER: Final = re.compile(r"\[[A-Z][A-Z0-9_]*_[1-9][0-9]*\]")


@dataclass(slots=True)
class Vault:
    """A fact of one exchange; nothing of it is ever shown.

    A value has the same placeholder wherever it stands, numbered by first appearance: as clients
    send the whole conversation each time, it keeps its number from turn to turn, and a provider's
    prompt cache stays warm.
    """

    _by_value: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)
    _by_placeholder: dict[str, str] = field(default_factory=dict, repr=False)
    _numbers: Counter[str] = field(default_factory=Counter, repr=False)
    _written: set[str] = field(default_factory=set, repr=False)

    def reserve(self, text: str) -> None:
        """Keep what looks like a placeholder and was written by the client from becoming one."""
        self._written.update(_PLACEHOLDER.findall(text))

    def hide(self, text: str, finder: Finder) -> str:
        """Return a text with placeholders for what is found in it."""
        pieces, position = [], 0
        for found in finder.find(text):
            placeholder = self._placeholder(found.kind, text[found.start : found.end])
            pieces += [text[position : found.start], placeholder]
            position = found.end
        return "".join([*pieces, text[position:]])

    def restore(self, text: str, *, in_json: bool = False) -> str:
        """Return a text with the values for their placeholders.

        Args:
            text: May hold none.
            in_json: The text is JSON, as the arguments of tools are: what is put in is escaped.
        """
        if "[" not in text:
            return text

        def value(found: re.Match[str]) -> str:
            known = self._by_placeholder.get(found[0])
            if known is None:
                return found[0]
            return json.dumps(known, ensure_ascii=False)[1:-1] if in_json else known

        return _PLACEHOLDER.sub(value, text)

    def begun(self, text: str) -> int:
        """Return how many characters at the end of a text may be the beginning of a placeholder."""
        start = text.rfind("[")
        tail = text[start:] if start >= 0 else ""
        if tail and any(name.startswith(tail) and name != tail for name in self._by_placeholder):
            return len(tail)
        return 0

    @property
    def counts(self) -> dict[str, int]:
        """How many values of each kind are hidden."""
        return dict(Counter(kind for kind, _ in self._by_value))

    def _placeholder(self, kind: str, value: str) -> str:
        known = self._by_value.get((kind, value))
        if known is not None:
            return known
        while True:
            self._numbers[kind] += 1
            placeholder = f"[{kind}_{self._numbers[kind]}]"
            if placeholder not in self._written:
                break
        self._by_value[kind, value] = placeholder
        self._by_placeholder[placeholder] = value
        return placeholder
