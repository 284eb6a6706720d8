"""What providers, aliases and preferences may not say: unknown names, doubles, contradictions."""

from __future__ import annotations

import difflib
import re
from typing import Final
from urllib.parse import urlsplit

from plano_filters import providers
from plano_filters.config.document import Document, ModelProvider
from plano_filters.config.problems import Report
from plano_filters.config.words import Path, dotted, meant

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""Source: RFC 9110 section 5.6.2."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_EXAMPLE = "add `model_providers: [{model: openai/gpt-4o, access_key: $OPENAI_API_KEY}]`"


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
        if entry.model_id not in full:
            found.setdefault(entry.model_id, []).append(index)
    return found


def is_header(name: str, value: str) -> bool:
    """Say whether a header can have this name and this value."""
    return _TOKEN.fullmatch(name) is not None and _CONTROL.search(value) is None


def is_url(text: str) -> bool:
    """Say whether a text is an HTTP address with a host."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def check_providers(document: Document, report: Report) -> None:
    """Report providers that could not be asked, and those that contradict one another."""
    if not document.model_providers:
        if any(entry.use == "upstream" for entry in document.filters):
            message = "no model_providers are declared, so no request could be answered"
            report.error((), message, hint=_EXAMPLE)
        return
    default = ""
    seen: set[str] = set()
    models: set[str] = set()
    for index, entry in enumerate(document.model_providers):
        here: Path = ("model_providers", index)
        if not entry.provider or not entry.model_id:
            report.error(
                (*here, "model"),
                f'"{entry.model}" is no model name; write <provider>/<model id> or <provider>/*',
            )
            continue
        _provider(here, entry, report)
        if entry.default and default:
            report.error(
                (*here, "default"), f"only one model can be the default, and {default} is it"
            )
        default = default or (entry.model if entry.default else "")
        name = entry.name or entry.model
        if entry.model in models:
            report.error((*here, "model"), f'"{entry.model}" is declared twice', hint="keep one")
        elif name in seen:
            report.error(
                (*here, "name"), f'"{name}" is declared twice', hint="give one of them another name"
            )
        seen.add(name)
        models.add(entry.model)


def check_aliases(document: Document, report: Report) -> None:
    """Report aliases that lead to no declared model, or hide one."""
    names = names_of(document)
    for alias, entry in document.model_aliases.items():
        here = ("model_aliases", alias)
        if not alias:
            report.error(here, "an alias needs a name", on_key=True)
        if alias in names:
            report.error(here, f'the alias "{alias}" hides a model of that name', on_key=True)
        _reference((*here, "target"), entry.target, document, report)


def check_preferences(document: Document, report: Report) -> None:
    """Report preferences that name no declared model, or have the name of another."""
    seen: set[str] = set()
    for index, preference in enumerate(document.routing_preferences):
        here = ("routing_preferences", index)
        if preference.name in seen:
            report.error((*here, "name"), f'two routing preferences are named "{preference.name}"')
        seen.add(preference.name)
        for position, model in enumerate(preference.models):
            _reference((*here, "models", position), model, document, report)


def check_router(document: Document, report: Report) -> None:
    """Report a router model that is neither declared nor one of Plano's own."""
    model = document.overrides.llm_routing_model
    if model is not None and not model.startswith("plano/"):
        _reference(("overrides", "llm_routing_model"), model, document, report)


def _provider(here: Path, entry: ModelProvider, report: Report) -> None:
    _headers(here, entry, report)
    if entry.wildcard and entry.default:
        report.error((*here, "default"), f"{entry.model} is a wildcard and cannot be the default")
    row = providers.find(entry.provider)
    if row is None:
        _unknown_provider(here, entry, report)
    elif entry.provider_interface is not None:
        report.error(
            (*here, "provider_interface"),
            f'provider_interface is for providers we do not know; "{entry.provider}" is known',
            hint="take it out",
            on_key=True,
        )
    if row is not None and row.base_url is None and entry.base_url is None:
        report.error((*here, "model"), f"{entry.provider} needs a base_url", hint="add base_url")
    if entry.base_url is not None and not is_url(entry.base_url):
        report.error(
            (*here, "base_url"),
            "base_url must be a URL with http:// or https:// and a host",
            hint="" if "://" in entry.base_url else "put https:// in front",
        )
    if row is not None and row.needs_key and _has_no_credential(entry):
        report.warning(
            (*here, "model"),
            f"{entry.model} has no access_key, so every request to it will be refused",
            hint=f"access_key: ${row.env_key}" if row.env_key else "",
        )
    if entry.passthrough_auth and entry.access_key is not None:
        report.warning(
            (*here, "access_key"),
            f"{entry.model} passes the client's credential on, so its access_key is not used",
            on_key=True,
        )


def _headers(here: Path, entry: ModelProvider, report: Report) -> None:
    """Report what no header can carry, before the first request fails on it."""
    key = entry.access_key.reveal() if entry.access_key else ""
    values: dict[Path, str] = {("access_key",): key, ("http_host",): entry.http_host or ""}
    for name, value in entry.headers.items():
        values["headers", name] = value.reveal()
        if _TOKEN.fullmatch(name) is None:
            report.error((*here, "headers", name), f'"{name}" is no name of a header', on_key=True)
    for path, text in values.items():
        if _CONTROL.search(text):
            report.error(
                (*here, *path),
                f"{dotted(path)} has a line break or another control character in it, "
                "which no header can carry",
            )


def _has_no_credential(entry: ModelProvider) -> bool:
    """Say whether nothing is sent to the provider's own address that could be a credential."""
    return not (entry.access_key or entry.passthrough_auth or entry.base_url)


def _unknown_provider(here: Path, entry: ModelProvider, report: Report) -> None:
    if entry.base_url is None or entry.provider_interface is None:
        report.error(
            (*here, "model"),
            f'the provider "{entry.provider}" is not known; give base_url and provider_interface',
            hint=meant(entry.provider, providers.PROVIDERS),
        )
    interface = entry.provider_interface
    if interface is not None and not providers.is_interface(interface):
        known = ", ".join(sorted(providers.PROVIDERS))
        report.error(
            (*here, "provider_interface"),
            f'"{interface}" is no provider interface (known: {known})',
            hint=meant(interface, providers.PROVIDERS),
        )


def _reference(path: Path, name: str, document: Document, report: Report) -> None:
    """Report a model name that means no declared model, or more than one."""
    names = names_of(document)
    found = names.get(name, [])
    if len(found) == 1:
        return
    if found:
        models = ", ".join(document.model_providers[index].model for index in found)
        report.error(path, f'"{name}" is ambiguous: {models}', hint="write the full name")
        return
    if name in document.model_aliases:
        report.error(
            path, f'"{name}" is an alias', hint=f'write "{document.model_aliases[name].target}"'
        )
        return
    declared = ", ".join(entry.model for entry in document.model_providers[:8]) or "none"
    report.error(
        path,
        f'"{name}" is not declared in model_providers (declared: {declared})',
        hint=_suggestion(name, document, list(names)),
    )


def _suggestion(name: str, document: Document, names: list[str]) -> str:
    prefix = name.partition("/")[0]
    if any(entry.wildcard and entry.provider == prefix for entry in document.model_providers):
        return f"{prefix}/* does not declare it: add an entry for {name}"
    close = difflib.get_close_matches(name, names, n=1)
    return f'did you mean "{close[0]}"?' if close else ""
