"""From a configuration to a router: which one, and which are the same."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pytest

from plano_builtin_filters.classify.config import ClassifyConfig, RouterName
from plano_builtin_filters.classify.wiring import Wiring, wire
from plano_filters import load_text
from plano_filters.testing import make_context

ARCH = "arch/Arch-Router"
SECRET = "sk-secret-of-the-router"
TEXT = """
version: v0.4.0
listeners: [{{name: m, type: model}}]
model_providers:
  - {{model: openai/gpt-4o, access_key: sk-aaaaaaaa, default: true}}
  - model: arch/Arch-Router
    provider_interface: openai
    base_url: "http://127.0.0.1:8000/v1"
    access_key: sk-secret-of-the-router
    headers: {{x-team: sk-secret-of-the-team}}
  - {{model: "vllm/*", base_url: "http://127.0.0.1:9000"}}
{more}
"""


def wired(more: str = "", **config: Any) -> Wiring:
    """Choose a router for a document with these lines."""
    document = load_text(TEXT.format(more=more), env={}).document
    return wire(ClassifyConfig.model_validate(config), make_context(document))


def overriding(model: str) -> str:
    return f"overrides: {{llm_routing_model: {model}}}"


@pytest.mark.parametrize(
    ("more", "config", "name", "described"),
    [
        ("", {}, "embedded", "embedded (embedded, not loaded)"),
        ("", {"router": "embedded"}, "embedded", "embedded (embedded, not loaded)"),
        ("", {"model": "some/directory"}, "embedded", "embedded (directory, not loaded)"),
        (overriding(ARCH), {}, "remote", "remote (Arch-Router at http://127.0.0.1:8000, arch-rout"),
        (overriding("Arch-Router"), {}, "remote", "remote (Arch-Router at http://127.0.0.1:8000"),
        (overriding("openai/gpt-4o"), {}, "embedded", "embedded"),  # as it has no base_url
        (overriding("plano/Plano-Orchestrator"), {}, "embedded", "embedded"),  # Plano's own
        (overriding(ARCH), {"router": "embedded"}, "embedded", "embedded"),
        ("", {"model": ARCH}, "remote", "remote (Arch-Router at http://127.0.0.1:8000"),
        (overriding("gpt-4o"), {"model": ARCH}, "remote", "remote (Arch-Router"),
        ("", {"router": "remote", "model": "gpt-4o"}, "remote",
         "remote (gpt-4o at https://api.openai.com"),
        ("", {"model": "vllm/my-orchestrator"}, "remote",
         "remote (my-orchestrator at http://127.0.0.1:9000, plano-orchestrator)"),
        ("", {"model": ARCH, "template": "plano-orchestrator"}, "remote",
         "remote (Arch-Router at http://127.0.0.1:8000, plano-orchestrator)"),
    ],
)  # fmt: skip
def test_which_router(more: str, config: dict[str, Any], name: RouterName, described: str) -> None:
    """What the filter says comes first, then Plano's override, then the encoder of our own."""
    found = wired(more, **config)

    assert found.name == name
    assert found.make().describe().startswith(described)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"router": "onnx"}, "router: onnx needs `model`"),
        ({"router": "remote"}, "router: remote needs `model`, or overrides.llm_routing_model"),
        ({"router": "remote", "model": "gpt-5"}, 'the model "gpt-5" is not declared'),
        ({"structured": True}, "`structured` is an option of remote, and the router is embedded"),
        ({"device": "cuda"}, "`device` is an option of onnx, and the router is embedded"),
        ({"template": "arch-router"}, "`template` is an option of onnx and remote"),
        ({"max_tokens": 1024}, "`max_tokens` is an option of onnx and remote"),
        ({"kv_cache_bytes": 0}, "`kv_cache_bytes` is an option of onnx"),
        ({"model": ARCH, "queue": 3}, "`queue` is an option of embedded and onnx, and the router "),
        ({"model": ARCH, "threads": 2}, "`threads` is an option of embedded and onnx"),
        ({"model": ARCH, "sha256": "0" * 64}, "`sha256` is an option of embedded and onnx"),
    ],
)
def test_a_contradiction_is_refused(config: dict[str, Any], said: str) -> None:
    """Nothing is silently ignored: not an option that this router does not read."""
    with pytest.raises(ValueError) as caught:
        wired(**config)

    assert said in str(caught.value)


def test_options_that_a_router_reads_are_taken() -> None:
    """Each is accepted where it means something."""
    onnx = wired(
        router="onnx", model="somewhere", device="cpu", threads=2, queue=3, max_tokens=1024,
        template="arch-router", kv_cache_bytes=0, sha256="0" * 64, deadline="1s",
    )  # fmt: skip
    remote = wired(model=ARCH, structured=True, max_tokens=1024, deadline="1s")

    assert (onnx.name, remote.name) == ("onnx", "remote")


def test_nothing_is_read_before_it_is_needed(tmp_path: Path) -> None:
    """A model that is not there is no error of the configuration: the gateway serves without it."""
    wiring = wired(model=str(tmp_path / "nowhere"))

    assert wiring.make().describe() == "embedded (nowhere, not loaded)"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        ({}, {"router": "embedded", "queue": 64, "deadline": "300ms"}, True),
        ({"min_confidence": 0.5}, {"cache_entries": 1}, True),  # what only the filter reads
        ({}, {"queue": 3}, False),
        ({}, {"deadline": "1s"}, False),
        ({}, {"model": "elsewhere"}, False),
        ({}, {"sha256": "0" * 64}, False),
        ({"model": ARCH}, {"model": ARCH}, True),
        ({"model": ARCH}, {"model": "Arch-Router", "router": "remote"}, False),
        ({"model": ARCH}, {"model": ARCH, "structured": True}, False),
        ({}, {"model": ARCH}, False),
    ],
)
def test_equal_routers_are_shared(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    """Two chains use one model where it behaves the same for both."""
    left, right = wired(**one).key, wired(**other).key

    assert isinstance(left, Hashable)
    assert (left == right, hash(left) == hash(right)) == (same, same)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("127.0.0.1:8000", "127.0.0.1:8001"),
        (SECRET, "sk-another-key"),
        ("sk-secret-of-the-team", "sk-another-team"),
    ],
)
def test_a_changed_endpoint_is_another_router(old: str, new: str) -> None:
    """After a reload with a new key or address the old ones are used no more."""
    text = TEXT.format(more="")
    contexts = [
        make_context(load_text(one, env={}).document) for one in (text, text.replace(old, new))
    ]
    before, after = (wire(ClassifyConfig(model=ARCH), context) for context in contexts)

    assert before.key != after.key


def test_a_credential_is_not_in_what_is_shown() -> None:
    """Neither the key nor the description has it."""
    wiring = wired(model=ARCH)

    assert "secret" not in f"{wiring.key}{wiring.make().describe()}{wiring}"


def test_the_prompt_of_plano_files_is_as_long_as_they_say() -> None:
    """`overrides.orchestrator_model_context_length` counts where it was written."""
    more = "overrides: {{orchestrator_model_context_length: {}}}"
    keys = [wired(more.format(n), model=ARCH).key for n in (2048, 4096)]

    assert len({*keys, wired(model=ARCH).key}) == 3


@pytest.mark.parametrize("option", ["http_host: example.org", "passthrough_auth: true"])
def test_what_a_router_does_not_do_is_refused(option: str) -> None:
    """A declared model may have options that are for clients' requests only."""
    document = load_text(
        f"""
version: v0.4.0
listeners: [{{name: m, type: model}}]
model_providers:
  - {{model: vllm/arch, base_url: "http://127.0.0.1:8000", {option}}}
overrides: {{llm_routing_model: vllm/arch}}
""",
        env={},
    ).document

    with pytest.raises(ValueError, match=option.partition(":")[0]):
        wire(ClassifyConfig(), make_context(document))
