"""The declared models of a document, by everything a client or an operator may call them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from plano_filters import endpoints, providers
from plano_filters.catalog import model_ids
from plano_filters.config import Document, ModelProvider
from plano_filters.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a requested name means."""

    models: tuple[str, ...]
    """Full names; more than one only for several deployments of one model."""
    how: str
    """A clause for the decision."""


@dataclass(frozen=True, slots=True)
class ModelIndex:
    """The declared models of a document, by everything a client may call them."""

    entries: tuple[ModelProvider, ...]
    aliases: Mapping[str, str]
    preferences: tuple[tuple[str, ...], ...]
    """The models of each routing preference, as full names."""
    catalog: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Model ids by provider, for wildcards."""
    router: str | None = None
    """The declared model that sorts requests, if there is one. It answers nobody who did not name
    it: its answers are names of routes."""

    @classmethod
    def of(
        cls, document: Document, catalog: Mapping[str, Sequence[str]] | None = None
    ) -> ModelIndex:
        """Index a document.

        Args:
            document: Its providers, aliases and preferences.
            catalog: Model ids by provider; the bundled one, where the document has wildcards.
        """
        if catalog is None:
            wild = any(entry.wildcard for entry in document.model_providers)
            catalog = model_ids() if wild else {}
        aliases = {name: alias.target for name, alias in document.model_aliases.items()}
        bare = cls(document.model_providers, aliases, (), catalog)
        preferences = tuple(
            tuple(full for name in p.models for full in bare._declared(name))
            for p in document.routing_preferences
        )
        meant = bare.resolve(document.overrides.llm_routing_model or "")
        router = meant.models[0] if meant else None
        return cls(document.model_providers, aliases, preferences, catalog, router)

    @property
    def concrete(self) -> list[str]:
        """The declared models that are no wildcards, in order, each once."""
        return list(dict.fromkeys(e.model for e in self.entries if not e.wildcard))

    @property
    def default(self) -> str | None:
        """The model with `default: true`."""
        return next((e.model for e in self.entries if e.default), None)

    def resolve(self, requested: str) -> Resolution | None:
        """Say what a name means; None if it means nothing.

        In this order: alias (one step), full or provider name, bare id, the part after the first
        slash, wildcard by prefix, id known in the catalogue of a wildcard's provider.
        """
        name = self.aliases.get(requested, requested)
        models = self._declared(name) or self._declared(name.partition("/")[2])
        models = models or self._wildcard(name) or self._catalogued(name)
        if not models:
            return None
        how = (
            f"{requested} -> {models[0]}" if requested != models[0] else f"{requested} is declared"
        )
        if len(models) > 1:
            how += f" ({len(models)} deployments)"
        return Resolution(models, how)

    def deployments(self, model_id: str) -> list[str]:
        """Return the declared models with an id, in order: one model at several providers."""
        return [model for model in self.concrete if model.partition("/")[2] == model_id]

    def fallbacks(self, model: str, sources: Iterable[str]) -> list[str]:
        """Return the models that may stand in for one, best first; may repeat names."""
        found: list[str] = []
        for source in sources:
            if source == "preferences":
                for models in self.preferences:
                    found += models if model in models else ()
            elif source == "default":
                found += [self.default] if self.default else []
            else:
                found += self._serving()[:1]
        return found

    def unnamed(self) -> list[str]:
        """Return the candidates for a request that names no model: the default, then the others."""
        return [self.default, *self._serving()] if self.default else self._serving()

    def entry(self, model: str) -> ModelProvider | None:
        """Return the declaration that a full name falls under."""
        exact = next((e for e in self.entries if e.model == model), None)
        return exact or next((e for e in self.entries if e.wildcard and _covers(e, model)), None)

    def same_account(self, left: str, right: str) -> bool:
        """Say whether two models are asked at one place with one credential."""
        one, other = self.entry(left), self.entry(right)
        return one is not None and other is not None and _account(one) == _account(other)

    def speaks(self, model: str, dialect: Dialect) -> bool:
        """Say whether a model can be asked by a client of a dialect, translated or not."""
        entry = self.entry(model)
        return entry is not None and (
            endpoints.asked_in(entry, model.partition("/")[2], dialect) is not None
        )

    def dialects(self, model: str) -> frozenset[Dialect]:
        """Return the dialects whose clients a model can serve."""
        return frozenset(one for one in endpoints.ASKED_IN if self.speaks(model, one))

    def listed(self) -> list[str]:
        """Return the full names to show in a model list; wildcards as far as they are known."""
        names: list[str] = []
        for entry in self.entries:
            if entry.wildcard:
                known = self.catalog.get(providers.canonical(entry.provider), ())
                names += [f"{entry.provider}/{model_id}" for model_id in known]
            else:
                names.append(entry.model)
        return list(dict.fromkeys(names))

    def similar(self, name: str) -> list[str]:
        """Return declared names that look like a name nobody declared."""
        known = [*self.concrete, *self.aliases, *(e.model_id for e in self.entries)]
        return difflib.get_close_matches(name, known, n=1)

    def _serving(self) -> list[str]:
        """Return the declared models that may answer a request that does not name them."""
        return [model for model in self.concrete if model != self.router]

    def _declared(self, name: str) -> tuple[str, ...]:
        if not name:
            return ()
        concrete = [e for e in self.entries if not e.wildcard]
        exact = [e.model for e in concrete if name in (e.model, e.name)]
        return tuple(dict.fromkeys(exact or [e.model for e in concrete if e.model_id == name]))

    def _wildcard(self, name: str) -> tuple[str, ...]:
        prefix, slash, model_id = name.partition("/")
        if not slash or not model_id or model_id == "*":
            return ()
        same = [e for e in self.entries if e.wildcard and _same(e.provider, prefix)]
        return (f"{same[0].provider}/{model_id}",) if same else ()

    def _catalogued(self, name: str) -> tuple[str, ...]:
        for entry in self.entries:
            if entry.wildcard and name in self.catalog.get(providers.canonical(entry.provider), ()):
                return (f"{entry.provider}/{name}",)
        return ()


def _account(entry: ModelProvider) -> tuple[object, ...]:
    address = entry.base_url, entry.http_host
    return providers.canonical(entry.provider), *address, entry.access_key, entry.passthrough_auth


def _same(left: str, right: str) -> bool:
    return providers.canonical(left) == providers.canonical(right)


def _covers(entry: ModelProvider, model: str) -> bool:
    return _same(entry.provider, model.partition("/")[0])
