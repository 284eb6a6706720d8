"""From names to candidates: which models may serve a request, best first."""

from __future__ import annotations

from collections.abc import Sequence

from plano_filters.dialect import Dialect
from plano_filters.models import ModelIndex

LONGEST = 256
"""Characters of a model name; longer ones mean nothing and would fill logs."""
UNNAMED = frozenset({"", "auto", "router"})
"""What a client writes when it leaves the choice to the gateway."""


def candidates(
    models: Sequence[str], fallbacks: Sequence[str], dialect: Dialect, index: ModelIndex
) -> tuple[str, ...]:
    """Put models and their stand-ins in order, each once, and only those that speak the dialect.

    For embeddings only deployments of one model stand in for one another: vectors of different
    models do not compare.
    """
    able = models if dialect == "embeddings" else [*models, *fallbacks]
    found = [one for one in dict.fromkeys(able) if index.speaks(one, dialect)]
    if dialect == "embeddings" and found:
        model_id = found[0].partition("/")[2]
        deployments = [found[0], *index.deployments(model_id)]
        found = [one for one in dict.fromkeys(deployments) if index.speaks(one, dialect)]
    return tuple(found)
