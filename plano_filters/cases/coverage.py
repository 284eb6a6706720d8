"""What of a configuration its tests have touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from plano_filters.config import Document


@dataclass(slots=True)
class Coverage:
    """What is there to be tested, and what has been."""

    routes: dict[str, bool] = field(default_factory=dict)
    """Whether a case took the route."""
    aliases: dict[str, bool] = field(default_factory=dict)
    """Whether a case asked for the alias."""
    models: dict[str, bool] = field(default_factory=dict)
    """Whether the model served a case; wildcards are not counted."""
    fallbacks: dict[str, bool] = field(default_factory=dict)
    """Whether another model stood in for the model in a case."""

    @classmethod
    def of(cls, document: Document) -> Coverage:
        """Return what a document has, none of it touched."""
        models = dict.fromkeys((e.model for e in document.model_providers if not e.wildcard), False)
        return cls(
            routes=dict.fromkeys((one.name for one in document.routing_preferences), False),
            aliases=dict.fromkeys(document.model_aliases, False),
            models=models,
            fallbacks=dict(models) if len(models) > 1 else {},
        )

    def touch(
        self, *, route: str | None, requested: str, served: str | None, instead_of: str | None
    ) -> None:
        """Note what one case did; names that the document does not have are passed over."""
        for where, name in (
            (self.routes, route),
            (self.aliases, requested),
            (self.models, served),
            (self.fallbacks, instead_of),
        ):
            if name in where:
                where[name] = True

    def lines(self) -> Iterator[str]:
        """Say how much was touched, and name what was not."""
        for kind, found in self._kinds():
            if found:
                missed = [name for name, touched in found.items() if not touched]
                rest = f"; not: {', '.join(missed)}" if missed else ""
                yield f"{kind:<10} {len(found) - len(missed)} of {len(found)}{rest}"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values: what was touched, what was not."""
        return {
            kind: {
                "touched": [name for name, touched in found.items() if touched],
                "missed": [name for name, touched in found.items() if not touched],
            }
            for kind, found in self._kinds()
        }

    def _kinds(self) -> tuple[tuple[str, dict[str, bool]], ...]:
        return (
            ("routes", self.routes),
            ("aliases", self.aliases),
            ("models", self.models),
            ("fallbacks", self.fallbacks),
        )
