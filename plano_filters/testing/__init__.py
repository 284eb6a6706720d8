"""The kit for tests of filters: fakes, chains without sockets, a provider, faults, conformance.

No network, no container, no server of your own. See docs/testing-filters.md.
"""

from plano_filters.testing import conformance, faults
from plano_filters.testing.answered import Answered
from plano_filters.testing.fakes import Answer, FakeClock, make_context, make_exchange
from plano_filters.testing.provider import FakeProvider, Received, Reply, mock_provider
from plano_filters.testing.running import RunningChain, chain, exercise

__all__ = [
    "Answer",
    "Answered",
    "FakeClock",
    "FakeProvider",
    "Received",
    "Reply",
    "RunningChain",
    "chain",
    "conformance",
    "exercise",
    "faults",
    "make_context",
    "make_exchange",
    "mock_provider",
]
