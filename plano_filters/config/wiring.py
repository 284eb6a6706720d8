"""Providers that need more than a row of the table: what Plano fills in for them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

_CODEX: Final = {
    "originator": "codex_cli_rs",
    "user-agent": "codex_cli_rs/0.1.0",
}
_KIMI_AGENT: Final = "KimiCLI/1.3"


def wire(tree: dict[str, Any], env: Mapping[str, str]) -> None:
    """Fill in the headers and addresses that some providers want, in place. What is set stays."""
    entries = tree.get("model_providers")
    if not isinstance(entries, list):
        return
    tree["model_providers"] = [
        _wired(entry, env) if isinstance(entry, dict) else entry for entry in entries
    ]


def _wired(entry: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    model, base_url = entry.get("model"), entry.get("base_url")
    if isinstance(model, str) and model.startswith("chatgpt/"):
        # The backend of a ChatGPT subscription: the user's own login, as its Codex client sends it.
        headers = {**_CODEX, "session_id": str(uuid.uuid4())}
        if env.get("CHATGPT_ACCOUNT_ID"):
            headers["ChatGPT-Account-Id"] = env["CHATGPT_ACCOUNT_ID"]
        return _with_headers({"passthrough_auth": True, **entry}, headers)
    if isinstance(base_url, str) and _is_kimi_coding(base_url):
        # Kimi's coding plan answers only below /coding/v1, and only to its own client's name.
        wired = {**entry, "base_url": base_url.rstrip("/") + "/v1"}
        return _with_headers(wired, {"User-Agent": _KIMI_AGENT})
    return entry


def _is_kimi_coding(base_url: str) -> bool:
    try:
        parts = urlsplit(base_url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.path.rstrip("/") == "/coding" and "kimi" in host


def _with_headers(entry: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    given = entry.get("headers") or {}
    if not isinstance(given, dict):
        return entry
    taken = {str(name).lower() for name in given}
    added = {name: value for name, value in headers.items() if name.lower() not in taken}
    return {**entry, "headers": {**added, **given}}
