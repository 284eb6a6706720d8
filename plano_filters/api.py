"""The version of the API that filters are written against, and whether one fits."""

from __future__ import annotations

import re
from typing import Final

API_VERSION: Final = "1.0"
"""`major.minor`. A minor version adds names, a major one changes or removes some.

A filter names the oldest that it can do with: `api = "1.0"`. See docs/api/index.md.
"""
_VERSION: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)")


def misfit(wanted: object) -> str:
    """Say why a filter that wants a version of the API cannot run here; empty if it can.

    Args:
        wanted: What stands under `api` of its class.
    """
    found = _VERSION.fullmatch(wanted) if isinstance(wanted, str) else None
    if found is None:
        return f'its `api` must be a version such as "{API_VERSION}", not {wanted!r}'
    major, minor = (int(part) for part in found.groups())
    our_major, our_minor = (int(part) for part in API_VERSION.split("."))
    if major == our_major and minor <= our_minor:
        return ""
    newer = (major, minor) > (our_major, our_minor)
    cure = "install a newer plano-filters" if newer else "install a newer version of the filter"
    return f"it needs version {wanted} of the API, and this plano-filters has {API_VERSION}; {cure}"
