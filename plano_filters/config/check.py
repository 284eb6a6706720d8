"""What a valid document may not say: references that lead nowhere, and contradictions.

Every check is one function over the document; they run only on sections that are valid themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from plano_filters.config.check_models import (
    check_aliases,
    check_preferences,
    check_providers,
    check_router,
    is_url,
)
from plano_filters.config.document import CostSource, Document, LatencySource
from plano_filters.config.placing import check_definitions, check_named, check_used
from plano_filters.config.problems import Problem, Report
from plano_filters.config.types import set_apart
from plano_filters.config.words import Path

Check = Callable[[Document, Report], None]


def check(document: Document, report: Report, wrong: set[Path]) -> None:
    """Report every contradiction in a document.

    Args:
        document: What is valid of it.
        report: Takes the problems.
        wrong: Paths that are missing in the document because they were wrong. Checks that need such
            a section do not run, and that such a key is missing is not told.
    """
    found = Report(report.locator)
    for needs, one in CHECKS:
        if not any((section,) in wrong for section in needs):
            one(document, found)
    for problem in [*found.errors, *found.warnings]:
        if not _follows(problem, wrong):
            report.add(problem)


def _follows(problem: Problem, wrong: set[Path]) -> bool:
    """Say whether a problem is only that a key is missing which stands there misspelt."""
    return any(
        len(path) > 1
        and problem.path[: len(path) - 1] == path[:-1][: len(problem.path)]
        and str(path[-1]) in problem.message
        for path in wrong
    )


_UNREAD = {
    "genai-prices": frozenset({"url", "refresh_interval"}),
    "self": frozenset({"url", "query", "refresh_interval"}),
}
"""Keys of sources that are in this process and nowhere else."""


def _sources(document: Document, report: Report) -> None:
    seen: set[str] = set()
    for index, source in enumerate(document.model_metrics_sources):
        here = ("model_metrics_sources", index)
        if source.type in seen:
            report.error(here, f"only one {source.type} source is allowed")
        seen.add(source.type)
        if isinstance(source, LatencySource) and source.provider == "prometheus":
            for key in ("url", "query"):
                if getattr(source, key) is None:
                    report.error(here, f'a prometheus source needs "{key}"')
        if isinstance(source, CostSource) and source.provider == "file":
            if source.url is None:
                report.error(here, 'a file source needs "url", the path of the file')
        elif source.url is not None and not is_url(source.url):
            report.error((*here, "url"), "url must be a URL with http:// or https:// and a host")
        for key in sorted(set_apart(source) & _UNREAD.get(source.provider, frozenset())):
            report.error((*here, key), f"a {source.provider} source has no {key}", on_key=True)


def _source_aliases(document: Document, report: Report) -> None:
    """Warn of catalogue names that are given to models nobody declared."""
    declared = {entry.model for entry in document.model_providers}
    wild = {entry.provider for entry in document.model_providers if entry.wildcard}
    for index, source in enumerate(document.model_metrics_sources):
        aliases = source.model_aliases if isinstance(source, CostSource) else {}
        for theirs, mine in aliases.items():
            if mine not in declared and mine.partition("/")[0] not in wild:
                report.warning(
                    ("model_metrics_sources", index, "model_aliases", theirs),
                    f'"{mine}" is not declared in model_providers, so nobody asks for its price',
                )


_REDIS = ("redis://", "rediss://")


def _routing(document: Document, report: Report) -> None:
    cache = document.routing.session_cache
    if cache.type == "redis" and cache.url is None:
        report.error(("routing", "session_cache"), 'session_cache of type redis needs "url"')
    elif cache.url is not None and not cache.url.reveal().startswith(_REDIS):
        report.error(
            ("routing", "session_cache", "url"), "the url must start with redis:// or rediss://"
        )


def _state(document: Document, report: Report) -> None:
    storage, here = document.state_storage, ("state_storage",)
    if storage is None:
        return
    if storage.type == "memory":
        if storage.connection_string is not None:
            message = "state_storage of type memory connects to nothing"
            report.warning((*here, "connection_string"), message, on_key=True)
    elif storage.connection_string is None:
        report.error(here, 'state_storage of type redis needs "connection_string"')
    elif not storage.connection_string.reveal().startswith(_REDIS):
        message = "the connection_string must start with redis:// or rediss://"
        report.error((*here, "connection_string"), message)


def _listeners(document: Document, report: Report) -> None:
    names: set[str] = set()
    ports: dict[int, list[tuple[str, str]]] = {}
    for index, listener in enumerate(document.listeners):
        here = ("listeners", index)
        if not listener.name:
            report.error((*here, "name"), "a listener needs a name")
        elif listener.name in names:
            report.error((*here, "name"), f'two listeners have the name "{listener.name}"')
        names.add(listener.name)
        for address, other in ports.get(listener.port, []) if listener.port else ():
            if address == listener.address or {address, listener.address} & {"0.0.0.0", "::"}:  # noqa: S104
                report.error((*here, "port"), f'"{other}" already listens on this port')
                break
        ports.setdefault(listener.port, []).append((listener.address, listener.name))


def _tracing(document: Document, report: Report) -> None:
    for key in ("opentracing_grpc_endpoint", "otlp_endpoint"):
        value = getattr(document.tracing, key)
        if value is not None and not is_url(value):
            report.error(("tracing", key), f"{key} must be a URL such as http://localhost:4318")
    endpoint = document.tracing.opentracing_grpc_endpoint
    if endpoint is not None and is_url(endpoint):
        parts = urlsplit(endpoint)
        if parts.scheme != "http":
            report.error(("tracing", "opentracing_grpc_endpoint"), "the scheme must be http")
        if parts.path.strip("/"):
            report.error(("tracing", "opentracing_grpc_endpoint"), "the path must be empty")


def _shared(document: Document, report: Report) -> None:
    """Warn of deadlines that do not hold: all listeners share one chain, with the first's."""
    first = document.listeners[0]
    for index, listener in enumerate(document.listeners[1:], start=1):
        for key in ("timeout", "max_retries"):
            if key in listener.model_fields_set and getattr(listener, key) != getattr(first, key):
                message = f'{key} of the first listener, "{first.name}", holds for all of them'
                report.warning(("listeners", index, key), message, on_key=True)


def _unread(document: Document, report: Report) -> None:
    """Warn of settings that no filter of the chain reads."""
    chain = {entry.use for entry in document.filters}
    for path, reader in _readers(document):
        if reader not in chain:
            name = ".".join(str(part) for part in path if isinstance(part, str))
            hint = f"the filter `{reader}` would read it" if reader else ""
            message = f"{name} is not read by any filter of this chain"
            report.warning(path, message, hint=hint, on_key=True)


def _readers(document: Document) -> Iterator[tuple[Path, str]]:
    """Yield what was set and only one filter reads, with the name of that filter."""
    if document.routing_preferences:
        yield ("routing_preferences",), "classify"
    if document.state_storage is not None:
        yield ("state_storage",), "conversation_state"
    ranked = any(entry.use == "rerank" for entry in document.filters)
    for index, source in enumerate(document.model_metrics_sources):
        # Prices are read by both: one ranks by them, the other says what an answer cost.
        reader = "rerank" if ranked or source.type == "latency" else "upstream"
        yield ("model_metrics_sources", index), reader
    for index, one in enumerate(document.routing_preferences):
        if one.selection_policy is not None and one.selection_policy.prefer != "none":
            yield ("routing_preferences", index, "selection_policy", "prefer"), "rerank"
    for section, keys in _READERS.items():
        for key in sorted(set_apart(getattr(document, section)) & keys.keys()):
            yield (section, key), keys[key]


_READERS = {
    "routing": {
        "llm_provider": "",
        "model": "",
        "override_explicit": "classify",
        "route_on_user_only": "affinity",
        "routing_budget": "affinity",
        "session_cache": "affinity",
        "session_max_entries": "affinity",
        "session_ttl_seconds": "affinity",
    },
    "overrides": {
        "llm_routing_model": "classify",
        "orchestrator_model_context_length": "classify",
        "disable_signals": "",
    },
    "tracing": {"trace_arch_internal": ""},
}
CHECKS: tuple[tuple[tuple[str, ...], Check], ...] = (
    (("model_providers",), check_providers),
    (("model_providers", "model_aliases"), check_aliases),
    (("model_providers", "routing_preferences", "model_metrics_sources"), check_preferences),
    (("overrides", "model_providers"), check_router),
    (("model_metrics_sources",), _sources),
    (("model_metrics_sources", "model_providers"), _source_aliases),
    (("routing",), _routing),
    (("state_storage",), _state),
    (("listeners",), _listeners),
    (("listeners", "filters", "remote_filters"), check_named),
    (("listeners", "filters", "remote_filters"), check_used),
    (("listeners",), _shared),
    (("remote_filters",), check_definitions),
    (("tracing",), _tracing),
    (("filters",), _unread),
)
