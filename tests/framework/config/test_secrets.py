"""No credential is shown in an excerpt."""

from __future__ import annotations

import pytest

from plano_filters.config.secrets import is_secret, mask
from plano_filters.config.source import parse
from tests.framework.config.reading import problems_of


@pytest.mark.parametrize(
    ("path", "value", "secret"),
    [
        (("model_providers", 0, "access_key"), "abc", True),
        (("model_providers", 0, "access_key"), "$KEY", False),
        (("model_providers", 0, "access_key"), "file:/run/key", False),
        (("model_providers", 0, "acces_key"), "abc", True),  # misspelt
        (("model_providers", 0, "headers", "x-any"), "abc", True),
        (("filters", 0, "config", "keys", 0, "key"), "abc", True),
        (("filters", 0, "config", "keys", 0), "abc", True),
        (("filters", 0, "config", "keys", 0, "id"), "team-a", False),
        (("model_providers", 0, "model"), "openai/gpt-4o", False),
        (("filters", 0, "config", "client-secret"), "abc", True),
        ((0,), "abc", False),
    ],
)
def test_is_secret(path: tuple[str | int, ...], value: str, secret: bool) -> None:
    """Credentials are known by the names around them; references are none."""
    assert is_secret(path, value) is secret


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("access_key: abc def", "access_key: *******"),
        ("access_key: $KEY", "access_key: $KEY"),
        ('"api_key": "abc", a: b', '"api_key": *****, a: b'),
        ("Authorization: Bearer abc", "Authorization: **********"),
        ("url: redis://me:secret@host:1", "url: redis://*********@host:1"),
        ("url: https://host/?api_key=abc&b=c", "url: https://host/?api_key=***&b=c"),
        ("misspelt: sk-abcdefghij", "misspelt: *************"),
        ("keys: [{id: a, key: $A}]", "keys: [{id: a, key: $A}]"),
        ("model: openai/gpt-4o", "model: openai/gpt-4o"),
    ],
)
def test_mask(text: str, masked: str) -> None:
    """A line keeps its length, so that carets stay in place."""
    assert mask(text) == masked
    assert len(masked) == len(text)


def test_a_credential_on_several_lines_is_masked_on_each() -> None:
    """A block of text under a key of a credential is hidden line by line."""
    source = parse("access_key: |\n  first part\n  second part\nport: 1\n", "plano.yaml")

    shown = [source.position(line, 0, 1).text for line in range(4)]

    assert shown == ["access_key: *", "************", "*************", "port: 1"]


def test_an_error_beside_a_credential_does_not_show_it() -> None:
    """Neither the error nor its excerpt has the text of a literal key, duplicates included."""
    line = "{model: openai/x, acess_key: topsecret-1, headers: {x-a: 'top, secret-2'}, defualt: 1}"
    for text in (
        f"model_providers: [{line}]",
        f"model_providers: [{{model: a, model: b, access_kye: topsecret-3}}, {line}]",
    ):
        shown = "\n".join(problem.render() for problem in problems_of(text))
        assert "secret" not in shown.replace('"', "")
