"""What may be a credential, so that no error and no dump ever shows it.

A literal credential can stand under a misspelt key, so keys that look like one count too.
"""

from __future__ import annotations

import difflib
import re
from typing import Final

from plano_filters.config.words import Path

_WORDS: Final = ("access_key", "api_key", "key", "token", "password", "secret", "authorization")
_NAMES: Final = frozenset({*_WORDS, "connection_string", "credential", "credentials", "cookie"})
_PARENTS: Final = frozenset({"keys", "headers", "secrets", "tokens"})
_OPEN: Final = frozenset({"id", "name", "use", "model"})
"""Keys under those that are no credentials."""
_REFERENCE: Final = re.compile(r"\$|file:/")
_LOOK: Final = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|ghp|hf|xox[a-z]|Bearer|Basic)[-_ ][^\s\"',}]{6,}|\bA(?:KIA|Iza)\S{12,}"
)
_AFTER_KEY: Final = re.compile(
    rf"((?:{'|'.join(_WORDS)})[\"']?\s*:\s*+)(?!\$|file:|[\"']\$|[{{\[])([^,}}\]#\n]+)",
    re.IGNORECASE,
)
_IN_URL: Final = re.compile(
    r"(?<=://)[^/\s@]+(?=@)|(?<=[?&])([\w-]*(?:key|token|sig)[\w-]*=)[^&\s]+"
)


def is_secret(path: Path, value: str) -> bool:
    """Say whether the value at a path may be a credential that stands there in clear."""
    if _REFERENCE.match(value):
        return False
    names = [_normal(part) for part in path if isinstance(part, str)]
    if not names:
        return False
    key = names[-1]
    inside = any(name in _PARENTS for name in names)
    return (inside and key not in _OPEN) or names_secret(key)


def names_secret(key: str) -> bool:
    """Say whether a key names a credential, be it misspelt."""
    key = _normal(key)
    if key in _NAMES or key.rpartition("_")[2] in _WORDS:
        return True
    return bool(difflib.get_close_matches(key, _NAMES, n=1, cutoff=0.8))


def mask(text: str) -> str:
    """Hide what looks like a credential in a line of text, keeping its length."""
    text = _AFTER_KEY.sub(lambda m: m[1] + "*" * len(m[2]), text)
    text = _LOOK.sub(lambda m: "*" * len(m[0]), text)
    return _IN_URL.sub(lambda m: (m[1] or "") + "*" * (len(m[0]) - len(m[1] or "")), text)


def _normal(key: str) -> str:
    return key.lower().replace("-", "_")
