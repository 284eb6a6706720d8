"""From the configuration to a router: which one, with which model, for how long."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

from plano_builtin_filters.classify.config import DEADLINES, ClassifyConfig, RouterName
from plano_builtin_filters.classify.routers.embedded import BUNDLED, EmbeddedModel
from plano_builtin_filters.classify.routers.prompts import TEMPLATES, find
from plano_builtin_filters.classify.routers.protocol import Router
from plano_builtin_filters.classify.routers.remote import RemoteRouter, endpoint
from plano_builtin_filters.classify.routers.worker import Worker
from plano_filters import Document, FactoryContext, providers
from plano_filters.config import ModelProvider, set_apart
from plano_filters.models import ModelIndex


@dataclass(frozen=True, slots=True)
class Wiring:
    """How a router is made."""

    name: RouterName
    key: Hashable
    """Two chains with equal keys share one router."""
    make: Callable[[], Router]


def wire(config: ClassifyConfig, context: FactoryContext) -> Wiring:
    """Choose a router; nothing is loaded yet.

    Raises:
        ValueError: The configuration contradicts itself, or the document.
    """
    document = context.document
    entry = _declared(config.model or document.overrides.llm_routing_model, document)
    name = config.router or ("remote" if entry is not None and entry.base_url else "embedded")
    _check_unread(config, name)
    deadline = config.deadline or DEADLINES[name]
    context_length = config.max_tokens
    if context_length is None and "orchestrator_model_context_length" in (
        document.overrides.model_fields_set
    ):
        context_length = document.overrides.orchestrator_model_context_length
    # What only the filter reads may differ between chains that share a router.
    read = {"router": name, "deadline": deadline, "min_confidence": 0.0, "cache_entries": 0}
    key = (name, config.model_copy(update=read), context_length)
    if name == "remote":
        if entry is None:
            raise ValueError(_no_model(config, document))
        address = _address(entry)
        about = (address, entry.model, entry.access_key, tuple(sorted(entry.headers.items())))
        return Wiring(
            name, (*key, about), lambda: _remote(config, entry, context, address, context_length)
        )
    if name == "onnx" and config.model is None:
        raise ValueError("router: onnx needs `model`, the directory of an exported model")

    return Wiring(name, key, lambda: _local(name, config, deadline, context_length))


def _local(name: RouterName, config: ClassifyConfig, deadline: float, length: int | None) -> Router:
    """Make a router that runs in this process."""
    directory = Path(config.model) if config.model else BUNDLED
    if name == "embedded":
        model = EmbeddedModel(directory, threads=config.threads, sha256=config.sha256)
        return Worker(model, queue=config.queue, deadline=deadline)
    # needs numpy, which the embedded router and a remote one can do without at start
    from plano_builtin_filters.classify.routers.onnx import OnnxModel  # noqa: PLC0415

    causal = OnnxModel(
        directory,
        device=config.device,
        threads=config.threads,
        context=length,
        sha256=config.sha256,
        template=config.template,
        cache_bytes=config.kv_cache_bytes,
    )
    return Worker(causal, queue=config.queue, deadline=deadline)


def _remote(
    config: ClassifyConfig,
    entry: ModelProvider,
    context: FactoryContext,
    address: str,
    length: int | None,
) -> Router:
    """Make a router that asks a declared model."""
    template = TEMPLATES[config.template] if config.template else find(entry.model)
    return RemoteRouter(
        address,
        entry.model_id,
        template,
        context.transport,
        deadline=config.deadline or DEADLINES["remote"],
        api_key=entry.access_key.reveal() if entry.access_key else None,
        headers={name: value.reveal() for name, value in entry.headers.items()},
        structured=config.structured,
        context=length,
    )


def _address(entry: ModelProvider) -> str:
    """Return where a declared model is asked: at its own address, or else at its provider's.

    Raises:
        ValueError: There is none, or it cannot be used.
    """
    for option in ("http_host", "passthrough_auth"):
        if getattr(entry, option):
            raise ValueError(f'router: remote: {option} of "{entry.model}" is not for a router')
    row = providers.find(entry.provider_interface or entry.provider)
    address = entry.base_url or (row.base_url if row else None)
    if address is None:
        raise ValueError(f'router: remote: the model "{entry.model}" needs a base_url')
    endpoint(address)
    return address


def _declared(model: str | None, document: Document) -> ModelProvider | None:
    if model is None:
        return None
    index = ModelIndex.of(document, {})
    resolution = index.resolve(model)
    entry = index.entry(resolution.models[0]) if resolution else None
    if resolution is None or entry is None:
        return None
    return entry.model_copy(update={"model": resolution.models[0]})  # a wildcard names no model


def _no_model(config: ClassifyConfig, document: Document) -> str:
    model = config.model or document.overrides.llm_routing_model
    if model is None:
        return "router: remote needs `model`, or overrides.llm_routing_model"
    return f'router: remote: the model "{model}" is not declared in model_providers'


_READERS: dict[str, tuple[RouterName, ...]] = {
    "sha256": ("embedded", "onnx"),
    "template": ("onnx", "remote"),
    "queue": ("embedded", "onnx"),
    "device": ("onnx",),
    "threads": ("embedded", "onnx"),
    "max_tokens": ("onnx", "remote"),
    "structured": ("remote",),
    "kv_cache_bytes": ("onnx",),
}


def _check_unread(config: ClassifyConfig, name: RouterName) -> None:
    """Refuse options that the chosen router does not read."""
    for option in sorted(set_apart(config) & _READERS.keys()):
        if name not in _READERS[option]:
            readers = " and ".join(_READERS[option])
            raise ValueError(f"`{option}` is an option of {readers}, and the router is {name}")
