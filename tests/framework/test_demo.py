"""The demo's document and what it prints."""

from __future__ import annotations

from plano_filters import Registry, compile_chain, demo, load_text


def test_the_document_is_valid_and_needs_no_key() -> None:
    """It compiles without one variable."""
    loaded = load_text(demo.DOCUMENT, env={})
    chain = compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)

    assert (loaded.report.errors, loaded.report.warnings) == ([], [])
    assert str(chain) == "alias -> upstream"


def test_the_welcome_has_commands_to_copy() -> None:
    """Every command goes to where this demo listens; metrics are named if they are there."""
    text = demo.welcome("http://127.0.0.1:9", "http://127.0.0.1:8")

    assert text.count("http://127.0.0.1:9/v1/chat/completions") == 3
    assert 'base_url="http://127.0.0.1:9/v1"' in text
    assert "http://127.0.0.1:8/metrics" in text
    assert "{" in text
    assert "{{" not in text
    assert "off" in demo.welcome("http://127.0.0.1:9", None)
