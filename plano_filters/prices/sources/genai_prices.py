"""The bundled prices: the data of `genai-prices` (MIT licence, Pydantic), read once.

Made by `tools/update_prices.py`. No network, no dependency.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from plano_filters import providers
from plano_filters.prices.catalog import Ability, Catalog, Model, context, rates
from plano_filters.prices.rates import Rates, Tier

_TESTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "=": lambda text, part: text == part,
    "^": lambda text, part: text.startswith(part),
    "$": lambda text, part: text.endswith(part),
    "*": lambda text, part: part in text,
}
"""What a rule's first character means: the whole id, its start, its end, anywhere in it."""


_RATES: Final = ("input", "output", "cache_read", "cache_write", "cache_write_1h")


class Bundled(Catalog):
    """The bundled catalogue: ids by rules, so that dated versions of a model have its price.

    Args:
        rows: By our prefix: rules in lower case, and the model.
        date: Of the data, `YYYY-MM-DD`.
        aliases: Declared models by the catalogue's names, `prefix/id`.
    """

    def __init__(
        self,
        rows: Mapping[str, Sequence[tuple[Sequence[str], Model]]],
        date: str,
        aliases: Mapping[str, str],
    ) -> None:
        super().__init__({})
        self._rows = rows
        self._meant = {mine: theirs for theirs, mine in aliases.items()}
        self._found: dict[str, Model | None] = {}
        self.date = date

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._rows.values())

    def find(self, name: str) -> Model | None:
        """Return what is known of a declared model; a whole id before a part of one."""
        name = self._meant.get(name, name)
        if name not in self._found:
            if len(self._found) >= REMEMBERED:
                self._found.clear()
            self._found[name] = self._look(name)
        return self._found[name]

    def _look(self, name: str) -> Model | None:
        prefix, _, model_id = name.partition("/")
        rows, wanted = self._rows.get(providers.canonical(prefix), ()), model_id.lower()
        for kinds in ("=", "^$*"):
            for rules, model in rows:
                if any(r[0] in kinds and _TESTS[r[0]](wanted, r[1:]) for r in rules):
                    return model
        return None


REMEMBERED: Final = 4096
"""Names whose model was looked for; wildcards let clients ask for any."""


def load(aliases: Mapping[str, str]) -> Bundled:
    """Read the bundled data."""
    rows, date = _read()
    return Bundled(rows, date, aliases)


@lru_cache(maxsize=1)
def _read() -> tuple[dict[str, list[tuple[Sequence[str], Model]]], str]:
    package = __package__.rpartition(".")[0]
    document = json.loads((files(package) / "prices.json").read_text(encoding="utf-8"))
    return {
        prefix: [(row["match"], _model(row)) for row in rows]
        for prefix, rows in document["providers"].items()
    }, document["date"]


def _model(row: Mapping[str, Any]) -> Model:
    return Model(
        _rates(row),
        Ability(context=context(row.get("context"))),
    )


def _rates(row: Mapping[str, Any]) -> Rates | None:
    made = rates(*(row.get(rate) for rate in _RATES))
    longer = [(above, _rates(more)) for above, more in row.get("long", ())]
    tiers = tuple(Tier(above, more) for above, more in longer if more is not None)
    return replace(made, long=tiers) if made is not None and tiers else made
