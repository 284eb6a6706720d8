"""Reading catalogues in their real shapes, and what is no catalogue."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters.prices.catalog import Ability, Catalog
from plano_filters.prices.rates import Rates, Tier
from plano_filters.prices.sources import (
    digitalocean,
    file,
    genai_prices,
    models_dev,
)
from tests.support.catalogs import (
    CLAUDE,
    DIGITALOCEAN,
    GPT,
    LLAMA,
    MINI,
    MODELS_DEV,
    OWN,
    bytes_of,
)

Parse = Callable[[bytes, Mapping[str, str]], Catalog]


def price_of(catalog: Catalog, name: str) -> Rates | None:
    found = catalog.find(name)
    return found.rates if found is not None else None


def close(found: Rates | None, *figures: float) -> bool:
    """Compare a price, whose rates went through a multiplication."""
    if found is None:
        return False
    told = [rate for rate in (found.input, found.output, found.cache_read) if rate is not None]
    return told == [pytest.approx(rate) for rate in figures]


def test_digitalocean_publishes_per_token() -> None:
    """Its fields say per million, its values do not; names are the creator's or raw."""
    catalog = digitalocean.parse(bytes_of(DIGITALOCEAN), {"openai-gpt-4o": GPT})

    assert close(price_of(catalog, GPT), 2.5, 10, 1.25)
    assert close(price_of(catalog, MINI), 0.15, 0.6, 0.075)
    assert close(price_of(catalog, "digitalocean/openai-gpt-4o"), 2.5, 10, 1.25)


def test_a_mirror_of_it_may_publish_per_million() -> None:
    """The document as a whole tells which it is."""
    rows = json.loads(json.dumps(DIGITALOCEAN))
    for row in rows["data"]:
        for key, value in row.get("pricing", {}).items():
            row["pricing"][key] = value * 1e6 if value is not None else None
    catalog = digitalocean.parse(bytes_of(rows), {})

    assert close(price_of(catalog, MINI), 0.15, 0.6, 0.075)


def test_a_price_that_is_null_is_no_price() -> None:
    """Plano makes 0 of it, and the model then ranks first."""
    catalog = digitalocean.parse(bytes_of(DIGITALOCEAN), {})

    assert price_of(catalog, CLAUDE) is None


def test_models_dev_has_prices_and_abilities() -> None:
    """USD per million; a bare id is that of the maker, not of a reseller."""
    catalog = models_dev.parse(bytes_of(MODELS_DEV), {})
    gpt = catalog.find(GPT)

    assert gpt is not None
    assert gpt.rates == Rates(2.5, 10, 1.25)
    assert gpt.ability == Ability(images=True, tools=True, structured=True, context=128000)
    assert price_of(catalog, "azure_openai/gpt-4o") == Rates(2.5, 10, 1.25)
    assert price_of(catalog, "reseller/gpt-4o") == Rates(99, 99)


def test_its_provider_ids_are_mapped_to_ours() -> None:
    """`google` is `gemini` here and `togetherai` is `together_ai`."""
    catalog = models_dev.parse(bytes_of(MODELS_DEV), {})

    assert price_of(catalog, "gemini/gemini-2.5-pro") == Rates(1.25, 10)
    assert price_of(catalog, "google/gemini-2.5-pro") == Rates(1.25, 10)
    llama = catalog.find(LLAMA)
    assert llama is not None
    assert llama.rates is None  # a free tier is no price
    assert llama.ability == Ability(False, False, False, 8192)


def test_an_alias_gives_a_declared_model_the_price_of_another_name() -> None:
    """For servers of one's own, and for names that do not match."""
    catalog = models_dev.parse(bytes_of(MODELS_DEV), {"openai/gpt-4o-mini": OWN, "nothing": "x/y"})

    assert price_of(catalog, OWN) == Rates(0.15, 0.6)
    assert catalog.find("x/y") is None


def test_a_server_of_ones_own_has_no_price_of_a_providers() -> None:
    """The same id at vLLM costs something else."""
    catalog = models_dev.parse(bytes_of(MODELS_DEV), {})

    assert catalog.find("vllm/gpt-4o") is None
    assert catalog.find("ollama/gpt-4o") is None


def test_the_file_has_full_names() -> None:
    """YAML or JSON; every key may be missing."""
    text = (
        "models:\n  openai/gpt-4o: {input: 2.5, output: 10, cache_read: 1, images: true}\n"
        "  vllm/own: {tools: false, structured_output: false, context: 4096}\n"
    )
    catalog = file.parse(text.encode(), {})

    assert price_of(catalog, GPT) == Rates(2.5, 10, 1)
    own = catalog.find(OWN)
    assert own is not None
    assert own.rates is None
    assert own.ability == Ability(None, False, False, 4096)
    as_json = bytes_of({"models": {GPT: {"input": 0.001, "output": 0.002}}})
    assert price_of(file.parse(as_json, {}), GPT) == Rates(0.001, 0.002)  # as it is written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "models: {}",
        "models: [a]",
        "a: b",
        "models: {a: 1}",
        "models: {a: {inptu: 1}}",
        "{",
        "\x00",
    ],
)
def test_a_file_with_a_mistake_is_refused(text: str) -> None:
    """Nothing of it is silently left out."""
    with pytest.raises(ValueError):
        file.parse(text.encode(), {})


def test_the_bundled_prices_know_the_models_of_the_documentation() -> None:
    """Without a network, dated versions included."""
    catalog = genai_prices.load({})

    assert close(price_of(catalog, GPT), 2.5, 10, 1.25)
    assert price_of(catalog, "openai/gpt-4o-2024-08-06") == price_of(catalog, GPT)
    assert price_of(catalog, CLAUDE) is not None
    assert price_of(catalog, "google/gemini-2.5-pro") == price_of(catalog, "gemini/gemini-2.5-pro")
    assert price_of(catalog, OWN) is None
    assert price_of(catalog, "openai/no-such-model") is None
    assert len(catalog) > 500
    assert catalog.date >= "2026-01-01"


def test_sources_know_what_long_prompts_cost() -> None:
    """The bundled data and models.dev do."""
    cost = {"input": 1.25, "output": 10, "context_over_200k": {"input": 2.5, "output": 15}}
    document = {"google": {"models": {"gemini-2.5-pro": {"cost": cost}}}}
    read = price_of(models_dev.parse(bytes_of(document), {}), "gemini/gemini-2.5-pro")
    bundled = price_of(genai_prices.load({}), "gemini/gemini-2.5-pro")

    assert read == Rates(1.25, 10, long=(Tier(200_000, Rates(2.5, 15)),))
    assert bundled is not None
    assert (bundled.at(200_000).input, bundled.at(200_001).input) == (1.25, 2.5)


def test_the_bundled_prices_know_caches_and_embeddings() -> None:
    """Anthropic charges more for writes, for an hour still more; embeddings have no output."""
    catalog = genai_prices.load({})

    assert price_of(catalog, "anthropic/claude-sonnet-4-6") == Rates(3, 15, 0.3, 3.75, 6)
    assert price_of(catalog, "openai/text-embedding-3-small") == Rates(0.02, 0)


def test_the_bundled_prices_take_aliases() -> None:
    """A model of one's own may count as another."""
    catalog = genai_prices.load({GPT: OWN})

    assert price_of(catalog, OWN) == price_of(catalog, GPT)


GARBAGE: list[Any] = [
    None, [], "x", 1, {}, {"data": None}, {"data": [1, None, {}]},
    {"openai": {"models": {"a": None}}},
    {"openai": {"models": [1]}},
]  # fmt: skip


@pytest.mark.parametrize("document", GARBAGE)
@pytest.mark.parametrize("parse", [digitalocean.parse, models_dev.parse])
def test_what_is_no_catalogue_is_refused(parse: Parse, document: object) -> None:
    """So that it never replaces one."""
    with pytest.raises(ValueError):
        parse(bytes_of(document), {})


@pytest.mark.parametrize("text", [b"", b"<html>", b"\xff\xfe", b'{"data": [', b"[" * 100_000])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    """Also an HTML page with status 200."""
    for parse in (digitalocean.parse, models_dev.parse):
        with pytest.raises(ValueError):
            parse(text, {})


RATE = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(RATE, RATE)
def test_a_rate_is_a_number_or_nothing(first: object, second: object) -> None:
    """Negative, absurd and misspelt ones never become a price; -1e308 and 1e308 included."""
    document = {
        "openai": {
            "models": {
                "a": {"cost": {"input": first, "output": second}},
                "b": {"cost": {"input": 1, "output": 2}},
            }
        }
    }
    found = price_of(models_dev.parse(bytes_of(document), {}), "openai/a")

    assert found is None or (found.input >= 0 <= found.output and found.input + found.output > 0)
