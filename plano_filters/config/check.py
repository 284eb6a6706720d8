"""What a valid document may not say: references that lead nowhere, and contradictions.

Every check is one function over the document; they run only on sections that are valid themselves.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from plano_filters import providers
from plano_filters.config.document import CostSource, Document, LatencySource, ModelProvider
from plano_filters.config.problems import Report

Check = Callable[[Document, Report], None]


def check(document: Document, report: Report, failed: set[str]) -> None:
    """Report every contradiction in a document.

    Args:
        document: Its valid sections; the others hold defaults.
        report: Takes the problems.
        failed: Names of the sections that are not valid, and so are not looked at.
    """
    for needs, one in CHECKS:
        if not failed.intersection(needs):
            one(document, report)


def names_of(document: Document) -> dict[str, list[int]]:
    """Return what a reference may say, and which providers it then means, by index.

    Full names and provider names come first; a bare id means every deployment of it.
    """
    found: dict[str, list[int]] = {}
    concrete = [(i, p) for i, p in enumerate(document.model_providers) if not p.wildcard]
    for index, entry in concrete:
        for name in {entry.model, entry.name or entry.model}:
            found.setdefault(name, []).append(index)
    full = set(found)
    for index, entry in concrete:
        if entry.model_id not in full and index not in found.setdefault(entry.model_id, []):
            found[entry.model_id].append(index)
    return found


def _providers(document: Document, report: Report) -> None:
    if not document.model_providers:
        uses_models = not document.filters or any(f.use == "upstream" for f in document.filters)
        if uses_models:
            report.error(
                (),
                "no model_providers are declared, so no request could be answered",
                hint="add `model_providers: [{model: openai/gpt-4o, access_key: $OPENAI_API_KEY}]`",
            )
        return
    for index, entry in enumerate(document.model_providers):
        _provider(index, entry, report)
    defaults = [i for i, entry in enumerate(document.model_providers) if entry.default]
    for index in defaults[1:]:
        first = document.model_providers[defaults[0]].model
        report.error(
            ("model_providers", index, "default"), f"only one model can be the default; {first} is"
        )
    _duplicates(document, report)


def _provider(index: int, entry: ModelProvider, report: Report) -> None:
    here = ("model_providers", index)
    if not entry.provider or not entry.model_id:
        report.error(
            (*here, "model"),
            f'"{entry.model}" is no model name; write <provider>/<model id> or <provider>/*',
        )
        return
    if entry.wildcard and entry.default:
        report.error((*here, "default"), f"{entry.model} is a wildcard and cannot be the default")
    row = providers.find(entry.provider)
    if row is None:
        _unknown_provider(index, entry, report)
    else:
        if entry.provider_interface is not None:
            report.error(
                (*here, "provider_interface"),
                f'provider_interface is for providers we do not know; "{entry.provider}" is known',
                on_key=True,
            )
        if row.base_url is None and entry.base_url is None:
            report.error((*here, "model"), f"{entry.provider} needs a base_url; add one")
    if entry.base_url is not None and not _is_url(entry.base_url):
        report.error(
            (*here, "base_url"),
            "base_url must be a URL with http:// or https:// and a host",
            hint=f"http://{entry.base_url}" if "://" not in entry.base_url else "",
        )
    if entry.passthrough_auth and entry.access_key is not None:
        report.warning(
            (*here, "access_key"),
            f"{entry.model} passes the client's credential on, so its access_key is not used",
            on_key=True,
        )


def _unknown_provider(index: int, entry: ModelProvider, report: Report) -> None:
    here = ("model_providers", index)
    close = difflib.get_close_matches(entry.provider, providers.PROVIDERS, n=1, cutoff=0.7)
    hint = f'did you mean "{close[0]}"?' if close else ""
    if entry.base_url is None or entry.provider_interface is None:
        report.error(
            (*here, "model"),
            f'the provider "{entry.provider}" is not known; give base_url and provider_interface',
            hint=hint,
        )
    if entry.provider_interface is not None and providers.find(entry.provider_interface) is None:
        known = ", ".join(sorted(providers.PROVIDERS))
        report.error(
            (*here, "provider_interface"),
            f'"{entry.provider_interface}" is no provider interface; known: {known}',
        )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _duplicates(document: Document, report: Report) -> None:
    seen: dict[str, int] = {}
    for index, entry in enumerate(document.model_providers):
        name = entry.name or entry.model
        if name in seen:
            what = "name" if entry.name else "model"
            report.error(
                ("model_providers", index, what),
                f'"{name}" is declared twice; give one of them another name',
            )
        seen.setdefault(name, index)


def _aliases(document: Document, report: Report) -> None:
    names = names_of(document)
    for alias, entry in document.model_aliases.items():
        here = ("model_aliases", alias)
        if not alias:
            report.error(here, "an alias needs a name", on_key=True)
        if alias in names:
            report.error(here, f'the alias "{alias}" hides a model of that name', on_key=True)
        if entry.target in document.model_aliases:
            report.error(
                (*here, "target"), f'"{entry.target}" is an alias itself; name the model it means'
            )
        else:
            _reference((*here, "target"), entry.target, document, report)


def _reference(
    path: tuple[str | int, ...], name: str, document: Document, report: Report
) -> None:
    """Report a model name that means no declared model, or more than one."""
    names = names_of(document)
    meant = names.get(name, [])
    if len(meant) == 1:
        return
    if meant:
        models = ", ".join(document.model_providers[i].model for i in meant)
        report.error(path, f'"{name}" is ambiguous: {models}', hint="write the full name")
        return
    close = difflib.get_close_matches(name, names, n=1)
    declared = ", ".join(p.model for p in document.model_providers[:8])
    report.error(
        path,
        f'"{name}" is not declared in model_providers (declared: {declared})',
        hint=f'did you mean "{close[0]}"?' if close else "",
    )


def _preferences(document: Document, report: Report) -> None:
    counted = Counter(preference.name for preference in document.routing_preferences)
    seen: set[str] = set()
    sources = {source.type for source in document.model_metrics_sources}
    for index, preference in enumerate(document.routing_preferences):
        here = ("routing_preferences", index)
        if counted[preference.name] > 1 and preference.name in seen:
            report.error((*here, "name"), f'two routing preferences are named "{preference.name}"')
        seen.add(preference.name)
        for position, model in enumerate(preference.models):
            _reference((*here, "models", position), model, document, report)
        prefer = preference.selection_policy.prefer if preference.selection_policy else "none"
        wanted = {"cheapest": "cost", "fastest": "latency"}.get(prefer)
        if wanted is not None and wanted not in sources:
            report.error(
                (*here, "selection_policy", "prefer"),
                f"prefer: {prefer} needs a {wanted} source",
                hint=f"add one of type {wanted} to model_metrics_sources",
            )


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
        if isinstance(source, CostSource) and source.provider == "file" and source.url is None:
            report.error(here, 'a file source needs "url", the path of the file')


def _routing(document: Document, report: Report) -> None:
    cache = document.routing.session_cache
    if cache.type == "redis" and cache.url is None:
        report.error(
            ("routing", "session_cache"), 'session_cache of type redis needs "url"'
        )
    elif cache.url is not None and not cache.url.reveal().startswith(("redis://", "rediss://")):
        report.error(
            ("routing", "session_cache", "url"), "the url must start with redis:// or rediss://"
        )
    budget = document.routing.routing_budget
    if budget is not None and not any(s.type == "cost" for s in document.model_metrics_sources):
        report.error(
            ("routing", "routing_budget"),
            "a routing budget needs a cost source",
            hint="add one of type cost to model_metrics_sources",
            on_key=True,
        )


def _router(document: Document, report: Report) -> None:
    model = document.overrides.llm_routing_model
    hosted = model is not None and model.startswith("plano/")
    if model is not None and not hosted and model not in names_of(document):
        report.error(
            ("overrides", "llm_routing_model"), f'"{model}" is not declared in model_providers'
        )


def _listeners(document: Document, report: Report) -> None:
    names: dict[str, int] = {}
    places: dict[tuple[str, int], str] = {}
    known = {remote.id for remote in document.remote_filters}
    for index, listener in enumerate(document.listeners):
        here = ("listeners", index)
        if not listener.name:
            report.error((*here, "name"), "a listener needs a name")
        if listener.name in names:
            report.error((*here, "name"), f'two listeners have the name "{listener.name}"')
        names[listener.name] = index
        place = (listener.address, listener.port)
        if listener.port and place in places:
            report.error((*here, "port"), f'"{places[place]}" already listens on this port')
        places[place] = listener.name
        for key in ("input_filters", "output_filters"):
            for position, wanted in enumerate(getattr(listener, key)):
                if wanted not in known:
                    report.error(
                        (*here, key, position),
                        f'no remote filter "{wanted}" is defined in filters '
                        f"(defined: {', '.join(sorted(known)) or 'none'})",
                    )


def _remote_filters(document: Document, report: Report) -> None:
    seen: set[str] = set()
    for index, remote in enumerate(document.remote_filters):
        if remote.id in seen:
            report.error(("remote_filters", index, "id"), f'two filters have the id "{remote.id}"')
        seen.add(remote.id)


def _tracing(document: Document, report: Report) -> None:
    for key in ("opentracing_grpc_endpoint", "otlp_endpoint"):
        value = getattr(document.tracing, key)
        if value is not None and not _is_url(value):
            report.error(("tracing", key), f"{key} must be a URL such as http://localhost:4318")
    endpoint = document.tracing.opentracing_grpc_endpoint
    if endpoint is not None and _is_url(endpoint):
        parts = urlsplit(endpoint)
        if parts.scheme != "http":
            report.error(("tracing", "opentracing_grpc_endpoint"), "the scheme must be http")
        if parts.path.strip("/"):
            report.error(("tracing", "opentracing_grpc_endpoint"), "the path must be empty")


def _unread(document: Document, report: Report) -> None:
    """Warn of settings that no filter of the chain reads."""
    for path, reader, what in _readers(document):
        if all(entry.use != reader for entry in document.filters):
            report.warning(
                path,
                f"{what} is read by the filter `{reader}`, which is not in the chain",
                on_key=True,
            )


def _readers(document: Document) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    if document.routing_preferences:
        yield ("routing_preferences",), "classify", "routing_preferences"
    if document.model_metrics_sources:
        yield ("model_metrics_sources",), "rerank", "model_metrics_sources"
    if document.routing.session_cache.type == "redis":
        yield ("routing", "session_cache"), "affinity", "routing.session_cache"
    if document.overrides.llm_routing_model is not None:
        yield ("overrides", "llm_routing_model"), "classify", "overrides.llm_routing_model"
    for index, listener in enumerate(document.listeners):
        for key in ("input_filters", "output_filters"):
            if getattr(listener, key):
                yield ("listeners", index, key), "http", f"listeners[{index}].{key}"


CHECKS: tuple[tuple[tuple[str, ...], Check], ...] = (
    (("model_providers",), _providers),
    (("model_providers", "model_aliases"), _aliases),
    (("model_providers", "routing_preferences", "model_metrics_sources"), _preferences),
    (("model_metrics_sources",), _sources),
    (("routing", "model_metrics_sources"), _routing),
    (("overrides", "model_providers"), _router),
    (("listeners", "remote_filters"), _listeners),
    (("remote_filters",), _remote_filters),
    (("tracing",), _tracing),
    (("filters", "routing", "overrides", "listeners", "routing_preferences"), _unread),
)
