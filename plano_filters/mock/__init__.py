"""The built-in provider `mock`: answers without a network and without a key.

For a first run, for demos, and for the tests of people who build on the gateway.
"""

from plano_filters.mock.provider import MockProvider

__all__ = ["MockProvider"]
