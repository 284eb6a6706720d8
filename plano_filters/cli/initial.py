"""The configuration that `init` writes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from plano_filters.config.load import CURRENT
from plano_filters.providers import PROVIDERS

_GENERAL: Final = frozenset({"GITHUB_TOKEN"})
"""Variables whose values open more than models: offered, not used."""

_HEAD: Final = f"""\
# yaml-language-server: $schema=./plano-filters.schema.json
# For completion in your editor: plano-filters schema > plano-filters.schema.json
version: {CURRENT}

listeners:
  - {{type: model, name: egress, address: 127.0.0.1, port: 12000}}

"""

_FOUND: Final = """\
# The providers whose keys were in the environment; "provider/*" means all of its models. Keys are
# read when the gateway starts, from the environment or from a .env file beside this one.
model_providers:
"""

_FOUND_NAMES: Final = """\
  # For requests that name no model, declare one as the default:
  # - {{model: {provider}/MODEL-ID, access_key: ${key}, default: true}}

# Names of your own, for models declared above by their ids:
# model_aliases:
#   fast-model: {{target: {provider}/MODEL-ID}}

"""

_MOCK: Final = """\
# No provider's key was in the environment, so these models are made up: they answer without a
# network. Real ones look like {model: "openai/*", access_key: $OPENAI_API_KEY}.
model_providers:
  - {model: mock/fast}
  - {model: mock/smart, default: true}
"""

_MOCK_NAMES: Final = """\

# Names of your own for models:
model_aliases:
  fast-model: {target: mock/fast}

"""

_CHAIN: Final = """\
# The chain. Top to bottom is the way of a request.
filters:
  - alias      # which models may answer
  - upstream   # asks them in order, until one answers
"""


def initial_document(variables: Collection[str]) -> str:
    """Return a commented configuration for the providers whose keys are there.

    Args:
        variables: Names of the environment variables that are set. Their values are not needed:
            the configuration refers to keys by name.
    """
    ready, incomplete = [], []
    for name, row in PROVIDERS.items():
        if row.env_key is None or row.env_key not in variables:
            continue
        entry = f'{{model: "{name}/*", access_key: ${row.env_key}'
        if row.base_url is None:
            incomplete.append(f"  # - {entry}, base_url: https://YOUR-ENDPOINT}}\n")
        elif row.env_key in _GENERAL:
            incomplete.append(f"  # - {entry}}}\n")
        else:
            ready.append((name, row.env_key, f"  - {entry}}}\n"))
    if not ready:
        return _HEAD + _MOCK + "".join(incomplete) + _MOCK_NAMES + _CHAIN
    entries = "".join(line for _, _, line in ready) + "".join(incomplete)
    provider, key, _ = ready[0]
    return _HEAD + _FOUND + entries + _FOUND_NAMES.format(provider=provider, key=key) + _CHAIN
