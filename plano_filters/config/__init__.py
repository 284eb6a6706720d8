"""The YAML document: `load` a file, look at its `report`, use its `document`."""

from plano_filters.config.document import (
    Document,
    FilterEntry,
    Limits,
    Listener,
    ModelProvider,
    RoutingPreference,
)
from plano_filters.config.load import Loaded, discover, load, load_text, zero_config
from plano_filters.config.problems import Position, Problem, Report
from plano_filters.config.remote import RemoteFilter
from plano_filters.config.shapes import filter_entries
from plano_filters.config.types import Duration, Secret, set_apart
from plano_filters.config.unsupported import Compat
from plano_filters.config.words import Path

__all__ = [
    "Compat",
    "Document",
    "Duration",
    "FilterEntry",
    "Limits",
    "Listener",
    "Loaded",
    "ModelProvider",
    "Path",
    "Position",
    "Problem",
    "RemoteFilter",
    "Report",
    "RoutingPreference",
    "Secret",
    "discover",
    "filter_entries",
    "load",
    "load_text",
    "set_apart",
    "zero_config",
]
