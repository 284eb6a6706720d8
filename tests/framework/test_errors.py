"""The tree of errors: every class is whole, and its picture is right."""

from __future__ import annotations

import re

import pytest

from plano_filters import errors
from plano_filters.errors import GatewayError

CLASSES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, GatewayError) and kind is not GatewayError
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_has_a_status_a_type_and_a_code(kind: type[GatewayError]) -> None:
    """Clients and SDKs decide by them."""
    assert 400 <= kind.status < 600
    assert re.fullmatch(r"[a-z_]+", kind.type)
    assert re.fullmatch(r"[a-z_]+", kind.code)
    assert kind.source in ("gateway", "filter", "upstream")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_tree_in_the_docstring_is_the_tree(kind: type[GatewayError]) -> None:
    """Each class stands in it with its status."""
    assert re.search(rf"\b{kind.__name__} +{kind.status}\b", errors.__doc__ or "")
