"""The demo's document and what it prints."""

from __future__ import annotations

from plano_filters import Chain, Registry, Route, compile_chain, demo, load_text
from plano_filters.chain import link
from plano_filters.testing import Answer, make_exchange


def test_the_document_is_valid_and_needs_no_key() -> None:
    """It compiles without one variable."""
    loaded = load_text(demo.DOCUMENT, env={})
    chain = compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)

    assert (loaded.report.errors, loaded.report.warnings) == ([], [])
    assert str(chain) == "alias -> affinity -> classify -> upstream"


async def test_its_prompts_go_to_five_routes() -> None:
    """As the embedded router that comes with the gateway sees them, with some confidence."""
    loaded = load_text(demo.DOCUMENT, env={})
    chain = compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)
    classify = Chain([*chain.links[:3], link(Answer(), id="answer", name="answer")])
    found = {}
    async with classify.lifespan():
        for name, prompt in demo.PROMPTS.items():
            exchange = make_exchange({"messages": [{"role": "user", "content": prompt}]})
            await classify.run(exchange)
            route = exchange.state.get(Route)
            found[name] = route.name if route else None

    assert list(found.values()) == [one.name for one in loaded.document.routing_preferences]


def test_the_welcome_has_commands_to_copy() -> None:
    """Every command goes to where this demo listens; metrics are named if they are there."""
    text = demo.welcome("http://127.0.0.1:9", "http://127.0.0.1:8")

    assert text.count("http://127.0.0.1:9/v1/chat/completions") == 4
    assert 'base_url="http://127.0.0.1:9/v1"' in text
    assert "http://127.0.0.1:8/metrics" in text
    assert "{" in text
    assert "{{" not in text
    assert "off" in demo.welcome("http://127.0.0.1:9", None)
    assert "plano-filters explain" in text
    assert "  bin/pf explain" in demo.welcome("http://127.0.0.1:9", None, "bin/pf")
