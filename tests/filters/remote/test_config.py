"""What `remote:` accepts, and what it says of mistakes."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from plano_builtin_filters.remote import Remote, RemoteConfig
from plano_filters.config import load_text
from plano_filters.testing import make_context


def test_a_filter_sees_requests_unless_told_otherwise() -> None:
    """The common case needs no word."""
    assert RemoteConfig(filter="guard").phases == ("request",)


@pytest.mark.parametrize("given", [{}, {"filter": ""}, {"filter": "a", "phases": []}])
def test_what_says_nothing_is_refused(given: dict[str, object]) -> None:
    """No filter, and no phase, would be a guard that guards nothing."""
    with pytest.raises(ValidationError):
        RemoteConfig.model_validate(given)


def test_a_filter_that_is_not_defined_is_named_with_a_suggestion() -> None:
    """The mistake is found before anything starts."""
    text = "filters: [{id: guard, url: 'http://a'}, remote: {filter: gaurd}]\n"
    document = load_text(text, env={}).document

    with pytest.raises(ValueError, match=r'no remote filter "gaurd" is defined.*guard'):
        Remote(RemoteConfig(filter="gaurd"), make_context(document))
